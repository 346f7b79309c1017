"""What a wrapper must offer so that pipelines can use it. numpy in, numpy out."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from models.certainty import Certainty
from models.types import (
    ActionWindows,
    Detections,
    Floats,
    FrameBatch,
    Halves,
    Pixels,
    SceneDescription,
    Times,
)


class FrameEncoder(Protocol):
    """Frames to unit-length embeddings.

    `name` is the registry key; `weights_hash` is None where there are no weights. Frames arrive
    upright, in proportion, with the short side at about `short_side_px`; the encoder does its own
    resizing and cropping from there.
    """

    name: str
    weights_hash: str | None
    dim: int
    short_side_px: int

    def encode_frames(self, frames: Pixels) -> Floats:
        """u8 RGB [T, H, W, 3] -> float32 [T, D], each row of length one."""
        ...


class FrameTextEncoder(Protocol):
    """Frames and texts to one space, read from the index of another encoder.

    `index_encoder` is the registry key of the encoder whose embeddings `project` takes: a video is
    looked at once, and every model that reads the same index answers without decoding. It may be
    the model itself. `certainty` and `picture_certainty` say what the two probabilities are worth;
    where that is "compared" there are none, and asking for them is a ValueError.
    """

    name: str
    weights_hash: str | None
    dim: int
    index_encoder: str
    certainty: Certainty
    picture_certainty: Certainty

    def project(self, features: Floats) -> Floats:
        """The index's embeddings [T, D'] -> float32 [T, D], each row of length one."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """[N] -> float32 [N, D], each row of length one."""
        ...

    def reads(self, text: str) -> bool:
        """Whether anything in the text means something to it."""
        ...

    def probability(self, scores: Floats, searched: int = 1) -> Floats:
        """That it matches, from the cosine; `searched`: the best of so many distinct ones."""
        ...

    def picture_probability(self, scores: Floats, searched: int = 1) -> Floats:
        """The same for two frames: that they belong to one scene."""
        ...


class Embedded(Protocol):
    """What holds the embeddings of a video's frames, such as its index."""

    @property
    def embeddings(self) -> Halves:
        """[T, D], each row of length one."""
        ...


class FrameScorer(Protocol):
    """Importance of frames, from the embeddings of the model named `index_encoder`."""

    name: str
    weights_hash: str | None
    index_encoder: str

    def score(self, embeddings: Floats | Embedded, times_s: Times) -> Floats:
        """An index or its embeddings [T, D], and ascending times -> float32 [T] in [0, 1]."""
        ...


class ActionClassifier(Protocol):
    """Names the action in windows over a video, from the embeddings of `index_encoder`."""

    name: str
    weights_hash: str | None
    index_encoder: str
    labels: tuple[str, ...]
    known_from: float  # windows whose `known` is lower are none of the labels

    def classify(self, frames: Pixels, times_s: Times) -> Floats:
        """u8 RGB [T, H, W, 3] and ascending times -> float32 [K], sums to one, for the whole."""
        ...

    def classify_windows(self, embeddings: Floats | Embedded, times_s: Times) -> ActionWindows:
        """An index or its embeddings, any length and any number of frames a second."""
        ...


class SegmentClassifier(Protocol):
    """Names the action in segments of a video, from their pictures: it reads no index."""

    name: str
    weights_hash: str | None
    labels: tuple[str, ...]
    frames_per_segment: int  # T, evenly over the segment
    segment_s: float  # how long the segments are that it was trained on
    short_side_px: int

    def classify_segments(self, frames: Pixels) -> Floats:
        """u8 RGB [N, T, H, W, 3] -> float32 [N, K], each row sums to one."""
        ...


@runtime_checkable
class SegmentEncoder(Protocol):
    """Segments of a video to embeddings, from several pictures of each."""

    name: str
    weights_hash: str | None
    dim: int
    frames_per_segment: int  # T, evenly over the segment
    segment_s: float
    short_side_px: int

    def encode_segments(self, frames: Pixels) -> Floats:
        """u8 RGB [N, T, H, W, 3] -> float32 [N, D]; lengths mean something and are kept."""
        ...

    def attend(self, frames: Pixels) -> Floats:
        """Where it looked: u8 RGB [T, H, W, 3] -> float32 [T, h, w] in [0, 1].

        The map lies over the middle square of the pictures, which is all that it sees.
        """
        ...


class TriggerScorer(Protocol):
    """The probability of one trained event at each frame, from `index_encoder`'s embeddings."""

    name: str
    weights_hash: str | None
    index_encoder: str
    event: str  # what it was trained to find, in a word or two
    start_at: float  # calibrated: an event begins where the probability reaches this
    stay_at: float  # and lasts while it stays above this

    def score(self, frames: Pixels | Floats | Embedded, times_s: Times) -> Floats:
        """Frames, an index or its embeddings, and ascending times -> float32 [T] in [0, 1]."""
        ...


class ObjectDetector(Protocol):
    """Things in pictures, with boxes."""

    name: str
    weights_hash: str | None
    labels: tuple[str, ...]

    def detect(self, frames: Pixels) -> list[Detections]:
        """u8 RGB [T, H, W, 3] -> one Detections a frame, boxes in the frame's pixels."""
        ...


class SceneDescriber(Protocol):
    """What is seen in the frames of one event, in words."""

    name: str
    weights_hash: str | None
    frames_wanted: int  # how many frames of an event it looks at, at most
    short_side_px: int  # how large it wants them

    def describe_event(self, frames: FrameBatch, trigger: str) -> SceneDescription:
        """`trigger` in words, such as "a fight" or "a person enters"."""
        ...
