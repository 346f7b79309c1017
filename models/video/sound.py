"""Decoded sound on one sample clock, whatever the file's own times look like."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from models.types import Floats
from models.video.opening import DAMAGE

JITTER_S = 0.02  # containers round times to a millisecond or so: less than this is no gap


def first_sound(container: InputContainer) -> AudioStream | None:
    """The first sound that can be decoded; None where there is none."""
    for stream in container.streams.audio:
        if stream.codec_context is not None and stream.codec_context.sample_rate > 0:
            return stream
    return None


class SoundReader:
    """Packets in; (position, samples) out, float32 [channels, N], positions never going back.

    Positions count samples at `rate_hz` from time zero. Small differences between where the file
    says a block starts and where the last one ended are rounding and are ignored; larger ones are
    real: a gap shows as a jump in position, an overlap is dropped.
    """

    def __init__(self, stream: AudioStream, rate_hz: int, layout: str) -> None:
        self._stream = stream
        self._rate_hz = rate_hz
        self._layout = layout
        self._resampler: AudioResampler | None = None
        self._shape: tuple[str, str, int] | None = None
        self._input_next_s: Fraction | None = None
        self._next: int | None = None

    def decode(self, packet: "Packet[AudioStream] | None") -> Iterator[tuple[int, Floats]]:
        """None at the end of the file, for what decoder and resampler still hold."""
        try:
            frames = self._stream.codec_context.decode(packet)
        except DAMAGE:
            return  # a damaged block: what follows has its own time
        for frame in frames:
            yield from self._converted(frame)
        if packet is None and self._resampler is not None:
            yield from self._placed(self._resampler.resample(None))

    def _converted(self, frame: AudioFrame) -> Iterator[tuple[int, Floats]]:
        if not frame.samples or not frame.sample_rate:
            return
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if shape != self._shape:
            if self._resampler is not None:
                yield from self._placed(self._resampler.resample(None))
            self._shape = shape
            self._resampler = AudioResampler("fltp", self._layout, self._rate_hz)
        if frame.pts is not None and frame.time_base is not None:
            start_s = frame.pts * frame.time_base
        else:
            start_s = self._input_next_s or Fraction(0)
        self._input_next_s = start_s + Fraction(frame.samples, frame.sample_rate)
        frame.time_base = Fraction(1, frame.sample_rate)
        frame.pts = round(start_s * frame.sample_rate)
        if self._resampler is not None:
            yield from self._placed(self._resampler.resample(frame))

    def _placed(self, frames: list[AudioFrame]) -> Iterator[tuple[int, Floats]]:
        for frame in frames:
            samples = frame.to_ndarray().astype(np.float32, copy=False)
            if frame.pts is None or frame.time_base is None:
                start = self._next or 0
            else:
                start = round(frame.pts * frame.time_base * self._rate_hz)
            if self._next is not None:
                apart = start - self._next
                if abs(apart) <= JITTER_S * self._rate_hz:
                    start = self._next
                elif apart < 0:
                    samples = samples[:, -apart:]
                    start = self._next
            if samples.shape[1]:
                self._next = start + samples.shape[1]
                yield start, np.nan_to_num(samples)
