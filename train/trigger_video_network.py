"""The published trigger system's network: pictures, or features of a frozen trunk, to logits.

Visual encoder (trunk and projection) -> trigger detector, frame by frame -> time-aware encoder,
which reads timestamps -> logits of every event at every frame. What follows the visual encoder is
models.trigger_network, which the application runs as well: there is no way around the time-aware
encoder, so that it decides and gets the gradient.
"""

from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.backbones import BackboneShape, CompactBackbone, as_input
from models.trigger_network import TriggerNetwork
from models.types import Floats, Pixels
from train.pretrained import load_trunk
from train.trigger_video_config import Freezing, TriggerVideoConfig


class TriggerVideoNetwork(nn.Module):
    """`backbone` and `network` are exported as checkpoints of their own."""

    def __init__(self, config: TriggerVideoConfig, events: int, source: str) -> None:
        """`source` is where the trunk's weights come from; a state that is loaded needs none.

        Raises:
            ValueError: the weights cannot be had.
        """
        super().__init__()
        encoder = config.model.visual_encoder
        self.backbone = CompactBackbone(
            BackboneShape(
                encoder.type,
                encoder.dim,
                normalisation="imagenet",
                head=encoder.feature_dim is not None,
            )
        )
        if source != "random":
            self.backbone.trunk.load_state_dict(load_trunk(encoder.type, source).state_dict())
        self.network = TriggerNetwork(config.shape(events))
        self._frozen = self._freeze(config.freezing)

    def parts(self) -> Mapping[str, list[nn.Module]]:
        """By the names that the config's freezing has."""
        network = self.network
        detector: list[nn.Module] = [network.project, network.score]
        if network.shape.detector_dim:
            detector.append(network.detect)
        return {
            "visual_backbone": [self.backbone.trunk],
            "visual_projection": [self.backbone.head],
            "trigger_detector": detector,
            "time_aware_encoder": [network.time],
        }

    def _freeze(self, freezing: Freezing) -> list[nn.Module]:
        frozen = []
        for name, modules in self.parts().items():
            if getattr(freezing, name):
                for module in modules:
                    module.requires_grad_(False)
                    frozen.append(module)
        if not any(parameter.requires_grad for parameter in self.parameters()):
            raise ValueError("freezing leaves something to train, received none that has weights")
        return frozen

    def train(self, mode: bool = True) -> "TriggerVideoNetwork":
        """What is frozen stays as it is: its batch norms count nothing, it drops nothing."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def pooled(self, pixels: Tensor) -> Tensor:
        """u8 [N, side, side, 3] -> the trunk's pooled features [N, D]."""
        backbone = self.backbone
        return cast(Tensor, backbone.trunk((as_input(pixels) - backbone.mean) / backbone.std))

    def embeddings(self, pooled: Tensor) -> Tensor:
        """[..., D] -> of length one, as an index of the application keeps them."""
        return functional.normalize(self.backbone.head(pooled).float(), dim=-1)

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Logits [B, T, events]."""
        if "features" in batch:
            pooled = batch["features"]
        else:
            pixels = batch["pixels"]
            pooled = self.pooled(pixels.flatten(0, 1)).reshape(*pixels.shape[:2], -1)
        seen = self.network.look(self.embeddings(pooled))
        logits: Tensor = self.network(seen, batch["times_s"], batch["valid"])
        return logits if logits.ndim == 3 else logits[:, :, None]

    @torch.inference_mode()
    def pooled_array(self, pixels: Pixels) -> Floats:
        given = torch.from_numpy(np.array(pixels)).to(self.backbone.mean.device)
        return cast(Floats, self.pooled(given).float().cpu().numpy())

    @torch.inference_mode()
    def embeddings_array(self, pooled: Floats) -> Floats:
        given = torch.from_numpy(pooled).to(self.backbone.mean.device)
        return cast(Floats, self.embeddings(given).cpu().numpy())


def losses(
    logits: Tensor, batch: Mapping[str, Tensor], temporal_weight: float
) -> tuple[Tensor, Tensor]:
    """(of events, of unrest): binary cross-entropy on logits, and between frames that are alike.

    Where nobody knows (truth below 0) nothing is asked. Unrest is how much the probability
    changes from one frame to the next although the same goes on in both; at the edges of events
    it is wanted and costs nothing.
    """
    truth = batch["truth"]
    known = (truth >= 0) & batch["valid"][:, :, None]
    each = functional.binary_cross_entropy_with_logits(
        logits.float(), truth.clamp(min=0), reduction="none"
    )
    of_events = (each * known).sum() / known.sum().clamp(min=1)
    if not temporal_weight:
        return of_events, logits.new_zeros(())
    steps = logits.float().sigmoid().diff(dim=1).abs()
    alike = (truth[:, 1:] == truth[:, :-1]) & known[:, 1:] & known[:, :-1]
    return of_events, (steps * alike).sum() / alike.sum().clamp(min=1)
