"""The arithmetic of results, and what is written of them, on made-up figures."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from benchmarks import plot, report
from benchmarks.plot import Axis
from benchmarks.results import ImportTime, Limits, Machine, Report, Result, Side, Start, digits

LIMITS = Limits(flops=2e9, bandwidths={1 << 20: 4e9, 1 << 30: 1e9})


def made_up(others: float = 0.0) -> Report:
    versions = {"Thalweg": {"thalweg": "1"}, "PyTorch": {"torch": "2"}}
    where = Machine("A CPU", 4, 2, "Linux", versions, LIMITS)
    sides = [
        Side("Thalweg", "", [0.5, 0.4, 9.0]),
        Side("PyTorch", "eager", [1.5, 1.25, 1.0], way="channels last"),
        Side("PyTorch", "compile", not_run="no compiler"),
        Side("JAX", "jit", [0.125, 0.25, 2500.0]),
    ]
    result = Result("tiny", "Tiny network", sides, 2e-7, 1e-4, others, 1e5, 1e4, limit_ms=0.05)
    empty = Result("empty", "Nothing", sides[:2], 0.0, 0.0, others)
    imports = [ImportTime("Thalweg", "thalweg", [3.0, 1.0, 2.0])]
    starts = [Start("tiny", "PyTorch", "eager", [3.0, 4.0, 5.0], [1.0], [0.25], [7e6])]
    return Report("2000-01-01", 3, where, [result], [empty], imports, starts)


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


def test_summary_compares_medians_with_the_fastest_peer() -> None:
    table = report.summary(made_up().results)
    assert cells(table)[2] == ["Tiny network", "0.5", "0.25", "JAX jit", "0.50", "10%"]
    assert len({len(line) for line in table.splitlines()}) == 1


def test_details_show_every_side_and_why_one_is_missing() -> None:
    assert cells(report.details(made_up().results))[2:] == [
        ["tiny", "Thalweg", "0.5", "0.4 to 9", "1.00", "10%", "-"],
        ["tiny", "PyTorch eager", "1.25", "1 to 1.5", "2.50", "4%", "channels last"],
        ["tiny", "PyTorch compile", "-", "-", "-", "-", "not run: no compiler"],
        ["tiny", "JAX jit", "0.25", "0.125 to 2,500", "0.50", "20%", "-"],
    ]


def test_overheads_are_one_line_a_system() -> None:
    assert cells(report.overheads(made_up()))[2:] == [
        ["Thalweg", "500", "-", "2"],
        ["PyTorch eager", "1,250", "-", "-"],
    ]


def test_starts_are_one_line_a_workload_and_system() -> None:
    assert cells(report.starts(made_up()))[2:] == [
        ["tiny", "PyTorch eager", "4.00", "1.00", "250", "7"],
    ]
    assert report.starts(replace(made_up(), starts=[])) == ""


def test_without_thalweg_there_is_nothing_to_compare() -> None:
    (result,) = made_up().results
    peers = Result("tiny", "Tiny", result.sides[1:], 0.0, 1.0, 0.0)
    assert peers.thalweg is None
    assert peers.ratio is None
    assert peers.share_of_limit(peers.sides[0]) is None
    assert cells(report.details([peers]))[2][3:6] == ["1 to 1.5", "-", "-"]


def test_on_a_busy_machine_one_thread_is_shown_and_is_no_peer() -> None:
    quiet = made_up()
    (result,) = quiet.results
    single = Side("Thalweg, one thread", "", [0.2, 0.4, 0.3])
    (made,) = results = [replace(result, sides=[result.sides[0], single, *result.sides[1:]])]
    assert made.single == single
    assert made.fastest_peer == result.fastest_peer
    assert cells(report.threads(results))[2] == ["Tiny network", "0.5", "0.3", "1.67"]
    busy = replace(quiet, results=results, busy=2)
    for words in ("x one thread", "beside every system: 2"):
        assert words in report.text(busy)
        assert words not in report.text(quiet)
    data = json.loads(report.json_text(busy))
    assert data["busy"] == 2
    assert data["results"][0]["by_threads"] == pytest.approx(5 / 3)


def test_what_went_wrong_is_told() -> None:
    good = made_up()
    (result,) = good.results
    bad = replace(result.sides[3], wrong="values differ", ms_per_step=())
    failed = replace(result, sides=[*result.sides[:3], bad])
    empty = replace(good.overheads[0], sides=[Side("JAX", "jit", not_run="it ended")])
    notes = ["start of JAX jit: no | answer"]
    made = replace(good, results=[failed], overheads=[empty], notes=notes)
    assert failed.fastest_peer == result.sides[1]
    assert cells(report.details(made.results))[-1][-1] == "FAILED: values differ"
    for text in (report.text(made), report.page(made, "plot.svg")):
        assert "- **Wrong values**: tiny: JAX jit: values differ" in text
        assert "- not measured: empty: JAX jit: it ended\n" in text
        assert "- not measured: start of JAX jit: no | answer" in text
    assert "JAX jit: FAILED" in plot.draw(made.results)
    assert "went wrong" not in report.page(good, "plot.svg")
    piped = replace(result, sides=[Side("JAX", "jit", not_run="a | b")])
    assert r"a \| b" in report.details([piped])  # else it would be two cells of the table


def test_json_holds_the_rounds_and_what_follows() -> None:
    data = json.loads(report.json_text(made_up()))
    (result,) = data["results"]
    assert result["sides"][1] == {
        "system": "PyTorch",
        "variant": "eager",
        "ms_per_step": [1.5, 1.25, 1.0],
        "way": "channels last",
        "not_run": "",
        "wrong": "",
        "median_ms": 1.25,
    }
    assert result["ratio"] == 0.5
    assert data["imports"][0]["median_ms"] == 2.0
    assert data["machine"]["limits"]["flops"] == 2e9
    assert data["machine"]["versions"]["PyTorch"] == {"torch": "2"}


def test_page_says_everything() -> None:
    page = report.page(made_up(), "plot.svg")
    expected = ("Tiny network", "0.4 to 9", "2.0e-07", "no compiler", "torch 2", "(plot.svg)")
    for text in (*expected, "2 GFLOP/s", "4 GB/s in 1 MiB"):
        assert text in page
    assert "Disturbed" not in page
    assert "Disturbed" in report.page(made_up(others=1.5), "plot.svg")
    assert "Tiny network" in report.text(made_up())


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.0517, "0.0517"), (1915.2, "1,920"), (3, "3"), (1.2e-5, "0.000012"), (0, "0")],
)
def test_digits(number: float, text: str) -> None:
    assert digits(number) == text


def test_the_limit_is_the_longer_of_computing_and_moving() -> None:
    assert LIMITS.milliseconds(flops=2e6, bytes=1, footprint=0) == pytest.approx(1.0)
    # 4 MB: from the cache that 1 MiB is in until something as large as memory's array is in use
    assert LIMITS.milliseconds(0, 4e6, footprint=1e6) == pytest.approx(1.0)
    assert LIMITS.milliseconds(0, 4e6, footprint=1e8) == pytest.approx(1.0)
    assert LIMITS.milliseconds(0, 4e6, footprint=2e9) == pytest.approx(4.0)


def test_axis_is_logarithmic_and_holds_all_ratios() -> None:
    axis = Axis([0.25, 4.0])
    assert axis.x(4) - axis.x(1) == pytest.approx(axis.x(1) - axis.x(0.25))
    assert plot.LEFT < axis.x(0.25) < axis.x(4.0) < plot.WIDTH - plot.RIGHT
    assert axis.ticks() == [0.5, 1, 2]


def test_plot_has_a_bar_as_long_as_the_ratio_for_each_side() -> None:
    results = made_up().results
    root = ElementTree.fromstring(plot.draw(results))
    space = "{http://www.w3.org/2000/svg}"
    bars = [r for r in root.iter(f"{space}rect") if r.get("fill") in plot.COLOURS.values()]
    assert len(bars) == 3
    axis = Axis([1.0, 2.5, 0.5])
    widths = [float(bar.get("width", 0)) for bar in bars]
    assert widths[1] == pytest.approx(axis.x(2.5) - axis.x(1), abs=0.1)
    assert widths[2] == pytest.approx(axis.x(1) - axis.x(0.5), abs=0.1)
    words = [text.text for text in root.iter(f"{space}text")]
    assert "PyTorch compile: not run" in words
    assert "JAX jit 0.25 ms (0.5x)" in words
