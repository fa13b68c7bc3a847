"""Every kind of summary, read back by TensorBoard's two loaders. One test: a server is slow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.board.example_logs import STEPS
from tests.board.serving import get

HISTOGRAMS = {"layer1/weights/histogram", "layer2/weights/histogram"}
IMAGES = {f"input_reshape/digits/image/{n}" for n in range(4)}
SCALARS = {"accuracy_1", "cross_entropy_1"}


def test_the_fast_loader_reads_everything(address: str) -> None:
    def tags(plugin: str) -> set[str]:
        return set(get(address, f"data/plugin/{plugin}/tags")["train"])

    assert tags("scalars") == SCALARS
    assert tags("histograms") == HISTOGRAMS
    assert tags("images") == IMAGES
    assert tags("audio") == {"tone/audio"}
    assert tags("text") == {"costs", "note"}
    assert tags("pr_curves") == {"is_3"}
    where = "run=train&tag="
    points = get(address, f"data/plugin/scalars/scalars?{where}accuracy_1")
    assert [step for _, step, _ in points] == list(range(STEPS))
    assert 0.5 < points[-1][2] <= 1
    buckets = np.array(
        get(address, f"data/plugin/histograms/histograms?{where}layer1/weights/histogram")[-1][2]
    )
    assert buckets[:, 2].sum() == 784 * 50
    assert "39,760 parameters" in get(address, f"data/plugin/text/text?{where}costs")[0]["text"]
    (curve,) = get(address, "data/plugin/pr_curves/pr_curves?tag=is_3&run=train").values()
    assert curve[-1]["step"] == STEPS - 1
    _check_graph(address)


def _check_graph(address: str) -> None:
    info = get(address, "data/plugin/graphs/info")["train"]
    assert info["run_graph"]
    assert list(info["tags"]) == ["step049"]
    limits = "limit_attr_size=1024&large_attrs_key=_too_large_attrs"
    drawn = get(address, f"data/plugin/graphs/graph?run=train&{limits}").decode()
    assert 'name: "layer1/Wx_plus_b/MatMul"' in drawn
    assert "_output_shapes" in drawn
    measured = get(address, "data/plugin/graphs/run_metadata?run=train&tag=step049").decode()
    assert 'node_name: "layer1/Wx_plus_b/MatMul"' in measured
    assert "op_end_rel_micros" in measured


def test_the_slow_loader_reads_everything(written: Path) -> None:
    reader: Any = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = reader.EventAccumulator(str(written / "train"), dict.fromkeys(["tensors"], 0))
    tags = events.Reload().Tags()
    assert set(tags["scalars"]) == SCALARS
    assert set(tags["histograms"]) == HISTOGRAMS
    assert set(tags["images"]) == IMAGES
    assert set(tags["audio"]) == {"tone/audio"}
    hparams = {"_hparams_/session_start_info", "_hparams_/session_end_info"}
    assert set(tags["tensors"]) == {"costs", "note", "is_3", "table"} | hparams
    assert tags["graph"]
    assert tags["run_metadata"] == ["step049"]
    assert [event.step for event in events.Scalars("accuracy_1")] == list(range(STEPS))
    assert events.Histograms("layer1/weights/histogram")[-1].histogram_value.num == 784 * 50
    assert events.Images("input_reshape/digits/image/0")[-1].width == 28
    curve = events.Tensors("is_3")[-1].tensor_proto
    assert [dim.size for dim in curve.tensor_shape.dim] == [6, 51]
    assert events.RunMetadata("step049").step_stats.dev_stats[0].node_stats


def test_hyper_parameters_are_compared(address: str) -> None:
    """Through the page's own request: the table of runs with the last scalars of each."""
    import json
    import urllib.request

    experiment = get(address, 'data/plugin/hparams/experiment?request={"experimentName":""}')
    assert {info["name"] for info in experiment["hparamInfos"]} == {"rate", "optimizer"}
    names = [info["name"] for info in experiment["metricInfos"]]
    assert {name["tag"] for name in names} == SCALARS
    statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    asked = {
        "experimentName": "",
        "allowedStatuses": statuses,
        "colParams": [{"metric": name} for name in names],
        "startIndex": 0,
        "sliceSize": 10,
    }
    request = urllib.request.Request(
        address + "data/plugin/hparams/session_groups",
        json.dumps(asked).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        (group,) = json.load(answer)["sessionGroups"]
    assert group["hparams"] == {"rate": 0.001, "optimizer": "adam"}
    assert group["sessions"][0]["status"] == "STATUS_SUCCESS"
