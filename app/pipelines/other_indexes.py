"""A video as further encoders see it, for models that read another index than all others."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from app.index import IndexStore
from app.performance import Meter
from app.pipelines.indexing import IndexStep, index_video
from app.pipelines.trigger_conditions import Condition
from models.protocols import FrameEncoder
from models.types import VideoInfo


def further_encoders(conditions: Sequence[Condition]) -> list[FrameEncoder]:
    """Whose indexes some of the conditions read instead, each once."""
    own = (condition.encoder for condition in conditions)
    return list({encoder.name: encoder for encoder in own if encoder is not None}.values())


def index_again(
    video: VideoInfo, encoder: FrameEncoder, fps: float, store: IndexStore, meter: Meter
) -> Iterator[IndexStep]:
    """As index_video, after another index was read; its cost is added to the same meter."""
    all_from_index, meter.from_index = meter.from_index, False
    for step in index_video(video, encoder, fps, store, meter):
        words = f"{step.progress.stage}, as {encoder.name} sees it"
        yield replace(step, progress=replace(step.progress, stage=words))
    meter.from_index = meter.from_index and all_from_index
