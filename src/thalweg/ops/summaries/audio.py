"""Summaries of sounds."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.base.errors import DTypeError, InvalidArgumentError, ShapeError
from thalweg.base.shapes import show
from thalweg.graph import Sample, Spec, Tensor
from thalweg.ops.build import convert
from thalweg.ops.samples import CUBE, TABLE
from thalweg.ops.summaries.tags import (
    SUMMARY,
    TAG,
    SummaryOp,
    check_tag,
    emit_summary,
    serialised,
    summary_scope,
)
from thalweg.protos.summaries import Summary

Array = np.ndarray[Any, Any]


class AudioSummary(SummaryOp):
    """A summary with the first sounds of a batch.

    Attributes:
        max_outputs: how many at most.
    """

    type: ClassVar[str] = "AudioSummaryV2"
    max_outputs: int = 3

    def infer(self, tag: Spec, tensor: Spec, sample_rate: Spec) -> Spec:
        check_tag(tag)
        for name, spec in (("sounds", tensor), ("the sample rate", sample_rate)):
            if spec.dtype.name != "float32":
                raise DTypeError(f"{name} must be float32, not {spec.dtype}")
        if tensor.shape is not None and len(tensor.shape) not in (2, 3):
            raise ShapeError(
                "sounds must be [batch, frames] or [batch, frames, channels]; "
                f"they are {show(tensor.shape)}"
            )
        if sample_rate.shape not in (None, ()):
            raise ShapeError(f"the sample rate must be a scalar; it is {show(sample_rate.shape)}")
        return SUMMARY

    def evaluate(self, xp: Any, tag: Any, tensor: Any, sample_rate: Any) -> Any:
        sounds = tensor if tensor.ndim == 3 else tensor[:, :, None]
        rate, name = float(sample_rate), tag.item().decode()
        if not rate > 0:
            raise InvalidArgumentError(f"the sample rate must be positive, not {rate:g}")
        several = self.max_outputs > 1
        return serialised(
            Summary.Value(tag=f"{name}/audio/{n}" if several else f"{name}/audio", audio=made)
            for n, made in enumerate(_audio(sound, rate) for sound in sounds[: self.max_outputs])
        )

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        rate = np.float32(8000)
        for sounds in (TABLE, -CUBE, TABLE[:0]):
            yield Sample(cls(1), (TAG, sounds, rate), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TAG, TABLE[0], np.float32(1)), "they are [3]")
        yield Sample(cls(), (TAG, TABLE, TABLE[0]), "the sample rate must be a scalar; it is [3]")
        yield Sample(cls(), (TAG, TABLE.astype(np.int32), np.float32(1)), "float32, not int32")
        yield Sample(cls(), (TABLE, TABLE, np.float32(1)), "the tag must be a string")


def _audio(sound: Array, rate: float) -> Summary.Audio:
    frames, channels = sound.shape
    return Summary.Audio(
        sample_rate=rate,
        num_channels=channels,
        length_frames=frames,
        encoded_audio_string=encode_wav(sound, round(rate)),
        content_type="audio/wav",
    )


def encode_wav(sound: Array, rate: int) -> bytes:
    """A sound in a WAV file of 16-bit samples.

    Args:
        sound: [frames, channels], from -1 to 1; what lies outside is cut off.
        rate: frames a second.
    """
    scaled = np.nan_to_num(np.clip(sound * np.float32(1 << 15), -(1 << 15), (1 << 15) - 1))
    data = np.trunc(scaled + np.copysign(np.float32(0.5), scaled)).clip(-32768, 32767)
    samples = data.astype("<i2").tobytes()
    frame = 2 * sound.shape[1]  # bytes
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, sound.shape[1], rate, rate * frame, frame, 16)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(samples)) + samples
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def audio(
    name: str,
    tensor: Any,
    sample_rate: Any,
    max_outputs: int = 3,
    collections: Sequence[str] | None = None,
    family: str | None = None,
) -> Tensor:
    """A summary of the first sounds of a batch.

    Args:
        name: the tag, inside the scopes that are open; sound n is called `name/audio/n`.
        tensor: float32 from -1 to 1, [batch, frames] or [batch, frames, channels].
        sample_rate: frames a second: a number, or a scalar tensor.
        max_outputs: how many sounds at most.
        collections: what it is added to; `[tf.GraphKeys.SUMMARIES]` by default.
        family: what TensorBoard groups it under; the outermost scope by default.

    Returns:
        a string: a serialised `tf.Summary`.

    Raises:
        ShapeError, DTypeError: if the tensor holds no sounds.
        InvalidArgumentError: if `max_outputs` is less than 1, or in a run the rate not positive.
    """
    if int(max_outputs) < 1:
        raise InvalidArgumentError(f"there must be at least 1 sound, not {max_outputs}")
    sounds = convert(tensor)
    with summary_scope(name, family, sounds) as (tag, full):
        rate = convert(sample_rate, dtypes.float32, name="sample_rate")
        record = AudioSummary(int(max_outputs))
        return emit_summary(record, tag, sounds, rate, name=full, collections=collections)
