"""What benchmarks.model_speed measures: each model as the application runs it, ready to be asked.

The weights of public models do not matter for how fast they are, so their networks are made in
their real shapes with random ones; what is before and after the network is left out for them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from models import hub, registry
from models.types import FrameBatch

FRAMES = 8
HEIGHT, WIDTH = 360, 640
DETR_PX = (750, 1333)  # what its processor makes of 16:9
D_FINE_PX = (640, 640)
TRAINED, RANDOM = "its own", "random"
REFERENCE = "resnet50, torch float32"


@dataclass(frozen=True, slots=True)
class Subject:
    """`run` works through so many frames of a video."""

    run: Callable[[], object]
    frames: int
    weights: str
    engine: str


def frames_of_video() -> Any:
    return np.random.default_rng(0).integers(0, 255, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)


def resnet50() -> Subject:
    """What the others are compared with: the backbone of the published systems, as they ran it."""
    import timm

    return _torch(timm.create_model("resnet50").eval(), (4, 3, 224, 224), 4)


def _encoder(name: str) -> Subject:
    model, frames = registry.load(name), frames_of_video()
    engine = getattr(model, "engine", "numpy")
    return Subject(lambda: model.encode_frames(frames), FRAMES, TRAINED, engine)


def _detector(name: str) -> Subject:
    model, frames = registry.load(name), frames_of_video()
    engine = getattr(model, "engine", "openvino")
    return Subject(lambda: model.detect(frames), FRAMES, TRAINED, engine)


def _reader(name: str) -> Subject:
    """With the encoder whose index it reads: nothing of it is there before."""
    model, frames = registry.load(name), frames_of_video()
    way = [registry.load(model.index_encoder)]
    while (before := getattr(way[0], "index_encoder", way[0].name)) != way[0].name:
        way.insert(0, registry.load(before))
    times_s = np.arange(FRAMES) / 2

    def run() -> object:
        rows = way[0].encode_frames(frames)
        for between in way[1:]:
            rows = between.project(rows)
        return _read(model, rows, times_s)

    return Subject(run, FRAMES, TRAINED, getattr(way[0], "engine", "numpy"))


def _read(model: Any, rows: Any, times_s: Any) -> object:
    for verb in ("score", "classify_windows"):
        if hasattr(model, verb):
            return getattr(model, verb)(rows, times_s)
    return model.project(rows)


def _describer(name: str) -> Subject:
    model, pixels = registry.load(name), frames_of_video()
    batch = FrameBatch(pixels, np.arange(FRAMES) / 2)
    return Subject(lambda: model.describe_event(batch, "a fight"), FRAMES, TRAINED, "openvino")


def _torch(network: Any, shape: tuple[int, ...], frames: int) -> Subject:
    import torch

    given = torch.zeros(shape)

    def run() -> object:
        with torch.inference_mode():
            return network(given)

    return Subject(run, frames, RANDOM, "torch")


def _pictures(network: Any, dim: int) -> Subject:
    """By the engine that the application would take for it."""
    from torch import Tensor, nn

    from models.converted_engine import fastest_engine

    class Side(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network.eval()

        def forward(self, pictures: Tensor) -> Any:
            return self.network(pictures).pooler_output

    engine = fastest_engine(Side(), 224, dim)
    rows = np.random.default_rng(0).standard_normal((FRAMES, 3, 224, 224)).astype(np.float32)
    return Subject(lambda: engine.run(rows), FRAMES, RANDOM, engine.name)


def _clip() -> Subject:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    return _pictures(CLIPVisionModel(CLIPVisionConfig(patch_size=32)), 768)


def _siglip() -> Subject:
    from transformers import SiglipVisionConfig, SiglipVisionModel

    return _pictures(SiglipVisionModel(SiglipVisionConfig(patch_size=16, image_size=224)), 768)


def _timesformer() -> Subject:
    from transformers import TimesformerConfig, TimesformerForVideoClassification

    config = TimesformerConfig(num_frames=8)
    network = TimesformerForVideoClassification(config).eval()
    return _torch(network, (1, 8, 3, 224, 224), 8)


def _videomae() -> Subject:
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    config: Any = VideoMAEConfig(num_frames=16)
    return _torch(VideoMAEForVideoClassification(config).eval(), (1, 16, 3, 224, 224), 16)


def _detr() -> Subject:
    from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

    backbone = ResNetConfig(out_features=["stage4"])
    config: Any = DetrConfig(backbone_config=backbone, num_labels=91)
    return _torch(DetrForObjectDetection(config).eval(), (1, 3, *DETR_PX), 1)


def _d_fine() -> Subject:
    """The small one, as its authors' program for conversion describes it."""
    from transformers import DFineConfig, DFineForObjectDetection

    backbone = {
        "model_type": "hgnet_v2", "layer_type": "basic", "embedding_size": 32,
        "hidden_sizes": [128, 256, 512, 1024], "stem_channels": [3, 16, 16],
        "stage_in_channels": [16, 64, 256, 512], "stage_mid_channels": [16, 32, 64, 128],
        "stage_out_channels": [64, 256, 512, 1024], "stage_num_blocks": [1, 1, 2, 1],
        "stage_downsample": [False, True, True, True],
        "stage_light_block": [False, False, True, True], "stage_kernel_size": [3, 3, 5, 5],
        "stage_numb_of_layers": [3, 3, 3, 3], "use_learnable_affine_block": True,
        "out_features": ["stage2", "stage3", "stage4"], "out_indices": [2, 3, 4],
    }  # fmt: skip
    config = DFineConfig(
        backbone_config=backbone, num_labels=80, decoder_layers=3, hidden_expansion=0.5,
        depth_mult=0.34, decoder_n_points=[3, 6, 3], encoder_in_channels=[256, 512, 1024],
    )  # fmt: skip
    return _torch(DFineForObjectDetection(config).eval(), (1, 3, *D_FINE_PX), 1)


def _shipped(make: Callable[[str], Subject], name: str) -> Callable[[], Subject]:
    return lambda: make(name)


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "colour": _shipped(_encoder, "colour"),
    "backbone": _shipped(_encoder, "backbone"),
    "compact": _shipped(_reader, "compact"),
    "keyframe_scorer": _shipped(_reader, "keyframe_scorer"),
    "action_classifier": _shipped(_reader, "action_classifier"),
    "trigger_detector": _shipped(_reader, "trigger_detector"),
    "captioner": _shipped(_describer, "captioner"),
    "compact_detector": _shipped(_detector, "compact_detector"),
    hub.D_FINE.name: _d_fine,
    hub.DETR.name: _detr,
    hub.CLIP.name: _clip,
    hub.SIGLIP_2.name: _siglip,
    hub.TIMESFORMER_K400.name: _timesformer,
    hub.TIMESFORMER_K600.name: _timesformer,
    hub.VIDEO_MAE.name: _videomae,
}
