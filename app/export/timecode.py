"""Seconds as the frame numbers and timecodes of an editing program."""

import math
from dataclasses import dataclass
from fractions import Fraction

# What editing programs offer for a timeline.
STANDARD_RATES = (
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
)
_SAME_RATE = 0.0003  # 29.97 and 30 are 0.1 % apart; a file's own average is off by less


@dataclass(frozen=True, slots=True)
class EditRate:
    """A rate that editors know, and its timecode.

    Drop-frame timecode at 29.97 and 59.94, where a timecode without it falls behind the clock by
    3.6 s an hour: labels are skipped, never frames, so that 00:10:00;00 is ten minutes. 23.976 has
    no drop-frame form, and whole rates need none.
    """

    rate: Fraction

    @classmethod
    def for_fps(cls, fps: Fraction) -> "EditRate":
        """The video's own rate, else the lowest that shows each of its frames for a whole number
        of frames, else (variable rates, very high ones) the nearest that loses least."""
        for rate in STANDARD_RATES:
            if _same(rate, fps):
                return cls(rate)
        for rate in STANDARD_RATES:
            times = round(rate / fps) if fps > 0 else 0
            if times > 1 and _same(rate, fps * times):
                return cls(rate)
        for rate in reversed(STANDARD_RATES):
            parts = round(fps / rate)
            if parts > 1 and _same(rate * parts, fps):
                return cls(rate)
        return cls(next((rate for rate in STANDARD_RATES if rate >= fps), STANDARD_RATES[-1]))

    @property
    def drop_frame(self) -> bool:
        return self.rate.denominator == 1001 and self.rate.numerator % 30000 == 0

    def frame_at(self, seconds: float) -> int:
        """The frame on screen at this time; a time a hair before a frame means that frame."""
        return max(0, math.floor(seconds * self.rate + 0.02))

    def span(self, start_s: float, end_s: float) -> tuple[int, int]:
        """First frame and the one after the last; at least one frame long."""
        first = self.frame_at(start_s)
        return first, max(self.frame_at(end_s), first + 1)

    def timecode(self, frame: int) -> str:
        """hh:mm:ss:ff, with a semicolon before the frames in drop-frame."""
        base = round(self.rate)
        if self.drop_frame:
            dropped = base // 15  # labels left out each minute, but not each tenth
            ten_minutes, minute = base * 600 - 9 * dropped, base * 60 - dropped
            tens, rest = divmod(frame, ten_minutes)
            frame += 9 * dropped * tens
            if rest >= dropped:
                frame += dropped * ((rest - dropped) // minute)
        seconds, frames = divmod(frame, base)
        mark = ";" if self.drop_frame else ":"
        return (
            f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{frames:02d}"
        )

    def seconds_text(self, frames: int) -> str:
        """Exact seconds as FCPXML writes them: 1001/30000s."""
        if not frames:
            return "0s"
        numerator = frames * self.rate.denominator
        denominator = self.rate.numerator
        if numerator % denominator == 0:
            return f"{numerator // denominator}s"
        return f"{numerator}/{denominator}s"


def _same(one: Fraction, other: Fraction) -> bool:
    return abs(one - other) <= _SAME_RATE * one
