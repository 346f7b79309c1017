"""What a wrapper must offer so that pipelines can use it. numpy in, numpy out."""

from collections.abc import Sequence
from typing import Protocol

from models.types import Floats, Halves, Pixels, Times


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
    looked at once, and every model that reads the same index answers without decoding.
    """

    name: str
    weights_hash: str | None
    dim: int
    index_encoder: str

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
