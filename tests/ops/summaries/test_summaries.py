"""Summaries against those that TensorFlow makes of the same inputs, and what they refuse."""

from __future__ import annotations

import base64
import io
import json
import wave
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.ops.summaries.cases import CASES, EXPECTED
from thalweg.ops.summaries.audio import encode_wav
from thalweg.ops.summaries.png import encode_png

TENSORFLOW = json.loads(EXPECTED.read_text())


def computed(tensor: Any, feeds: Any = None) -> tf.Summary:
    with tf.Session() as session:
        return tf.Summary.FromString(session.run(tensor, feeds))


def decoded(data: bytes) -> np.ndarray[Any, Any]:
    image = pytest.importorskip("PIL.Image")
    return np.asarray(image.open(io.BytesIO(data)))


@pytest.mark.parametrize("case", CASES)
def test_summaries_are_those_of_tensorflow(case: str) -> None:
    function, arguments, keywords = CASES[case]
    with tf.name_scope("scope"):
        tensors = [tf.constant(argument) for argument in arguments]
        made = computed(getattr(tf.summary, function)("a name", *tensors, **keywords))
    expected = tf.Summary.FromString(base64.b64decode(TENSORFLOW[case]))
    assert [value.tag for value in made.value] == [value.tag for value in expected.value]
    for mine, theirs in zip(made.value, expected.value, strict=True):
        _check_equal(mine, theirs)


def _check_equal(mine: Any, theirs: Any) -> None:
    """Equal but for how the pixels are packed, and what newer readers are told of tensors."""
    if theirs.HasField("image"):
        ours, other = (decoded(value.image.encoded_image_string) for value in (mine, theirs))
        np.testing.assert_array_equal(ours, other)
        mine.image.encoded_image_string = theirs.image.encoded_image_string
    if theirs.HasField("tensor"):
        ours, other = (tf.make_ndarray(value.tensor) for value in (mine, theirs))
        np.testing.assert_array_equal(ours, other)
        mine.tensor = theirs.tensor
        assert mine.metadata.data_class == tf.SummaryMetadata.DATA_CLASS_TENSOR
        mine.metadata.data_class = 0
        assert mine.metadata.plugin_data == theirs.metadata.plugin_data
        theirs.metadata = mine.metadata
    if theirs.HasField("histo"):  # sums are added in another order
        assert mine.histo.sum == pytest.approx(theirs.histo.sum, rel=1e-12)
        assert mine.histo.sum_squares == pytest.approx(theirs.histo.sum_squares, rel=1e-12)
        mine.histo.sum, mine.histo.sum_squares = theirs.histo.sum, theirs.histo.sum_squares
    assert mine == theirs


def test_tags_follow_scopes_and_are_unique() -> None:
    with tf.name_scope("layer"):
        first = tf.summary.scalar("loss", 1.0)
        second = tf.summary.scalar("loss", 2.0)
        spaced = tf.summary.scalar("/my loss:0", 3.0, family="my family")
    assert (first.op.name, second.op.name) == ("layer/loss", "layer/loss_1")
    made = computed(tf.summary.merge([first, second, spaced]))
    tags = [value.tag for value in made.value]
    assert tags == ["layer/loss", "layer/loss_1", "my_family/layer/my_family/my_loss_0"]


def test_collections() -> None:
    one = tf.summary.scalar("one", 1.0)
    two = tf.summary.scalar("two", 2.0, collections=["mine"])
    tf.summary.scalar("three", 3.0, collections=[])
    with tf.name_scope("inner"):
        four = tf.summary.scalar("four", 4.0)
    assert tf.get_collection(tf.GraphKeys.SUMMARIES) == [one, four]
    assert tf.get_collection("mine") == [two]
    merged = tf.summary.merge_all(scope="inner")
    assert [v.tag for v in computed(merged).value] == ["inner/four"]
    assert tf.summary.merge_all("nothing") is None
    both = tf.summary.merge([one, two], collections=["both"], name="my merge")
    assert tf.get_collection("both") == [both]
    assert both.op.name == "my_merge/my_merge"


def test_older_names_take_tags_as_they_stand() -> None:
    with tf.name_scope("scope"):
        tf.scalar_summary("loss", 1.0)
        tf.scalar_summary(["a", "b"], [1.0, 2.0])
        tf.histogram_summary("h", [1.0])
        tf.image_summary("i", tf.zeros([1, 2, 2, 1]), max_images=1)
    made = computed(tf.merge_all_summaries())
    assert [value.tag for value in made.value] == ["loss", "a", "b", "h", "i/image"]


def test_merging_twice_the_same_tag_fails() -> None:
    both = tf.merge_summary([tf.scalar_summary("a", 1.0), tf.scalar_summary("a", 2.0)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="two summaries have the tag 'a'"):
        computed(both)


def test_summaries_of_what_a_step_computes() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    v = tf.Variable(1.0, name="v")
    tf.summary.histogram("hx", x)
    tf.summary.scalar("sv", v)
    merged, step = tf.summary.merge_all(), v.assign_add(tf.reduce_sum(x))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for n in range(3):
            summary, _ = session.run([merged, step], {x: np.ones(n + 1)})
            made = {value.tag: value for value in tf.Summary.FromString(summary).value}
            assert made["hx"].histo.num == n + 1
        assert session.run(v) == 7


def test_values_that_are_not_finite_are_counted() -> None:
    histogram = tf.summary.histogram("h", [1.0, np.nan, np.inf, -np.inf])
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        computed(histogram)
    assert "of 4, 1 NaN and 2 infinite" in str(caught.value)
    assert "test_summaries.py" in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tf.summary.scalar("a", [1.0]), "shapes"),
        (lambda: tf.summary.scalar("a", "text"), "takes numbers, not string"),
        (lambda: tf.summary.image("a", tf.zeros([2, 2])), "they are [2, 2]"),
        (lambda: tf.summary.image("a", tf.zeros([1, 2, 2, 1]), 0), "at least 1 image, not 0"),
        (lambda: tf.summary.audio("a", tf.zeros([1, 2]), 8000.0, 0), "at least 1 sound, not 0"),
        (lambda: tf.summary.text("a", 1.0), "takes strings, not float32"),
        (lambda: tf.summary.merge([]), "there are no summaries"),
        (lambda: tf.summary.merge([1.0]), "summaries are strings, not float32"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_line(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert message in str(caught.value)
    assert "test_summaries.py" in str(caught.value)


def test_sounds_need_a_rate() -> None:
    rate = tf.placeholder(tf.float32, [])
    sound = tf.summary.audio("a", tf.zeros([1, 2]), rate)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be positive, not 0"):
        computed(sound, {rate: 0})


def test_png_of_every_kind() -> None:
    for channels in (1, 2, 3, 4):
        pixels = np.random.default_rng(0).integers(0, 256, [5, 7, channels], np.uint8)
        np.testing.assert_array_equal(decoded(encode_png(pixels)).reshape(pixels.shape), pixels)
    assert decoded(encode_png(np.zeros([300, 200, 3], np.uint8))).shape == (300, 200, 3)


def test_wav_is_read_by_others() -> None:
    data = encode_wav(np.array([[0.5, -1], [2, np.nan]], np.float32), 8000)
    with wave.open(io.BytesIO(data)) as file:
        assert file.getparams()[:4] == (2, 2, 8000, 2)
        frames = np.frombuffer(file.readframes(2), "<i2")
    assert frames.tolist() == [16384, -32768, 32767, 0]


def test_metadata_of_tensors() -> None:
    plugin = tf.SummaryMetadata.PluginData(plugin_name="mine", content=b"x")
    metadata = tf.SummaryMetadata(plugin_data=plugin, data_class=3)
    made = computed(
        tf.summary.tensor_summary(
            "t", ["a"], "About *it*.", summary_metadata=metadata, display_name="T"
        )
    )
    found = made.value[0].metadata
    assert (found.plugin_data.content, found.data_class) == (b"x", 3)
    assert (found.summary_description, found.display_name) == ("About *it*.", "T")
    assert metadata.display_name == ""  # that of the caller stays as it is
