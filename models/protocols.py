"""What a wrapper must offer so that pipelines can use it. numpy in, numpy out."""

from typing import Protocol

from models.types import Floats, Pixels


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
