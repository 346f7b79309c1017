"""How near a student is to its teacher on held-out pictures, and how much it knows by itself."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.data.distillation import Batch
from train.data.teacher_views import TeacherSpace

NEIGHBOURS = 15
NEIGHBOUR_TEMPERATURE = 0.07


class TeacherReader(nn.Module):
    """The teacher's answers as standardized numbers, and its classifier. Not in any state."""

    mean: Tensor
    std: Tensor
    class_weights: Tensor

    def __init__(self, space: TeacherSpace) -> None:
        super().__init__()
        self.pooled_scale = space.pooled_scale
        for name in ("mean", "std", "class_weights"):
            values = torch.from_numpy(getattr(space, name))
            self.register_buffer(name, values, persistent=False)

    def standardized(self, batch: Batch) -> Tensor:
        return (batch["pooled"].float() * self.pooled_scale - self.mean) / self.std

    def logits(self, standardized: Tensor) -> Tensor:
        return (standardized * self.std + self.mean) @ self.class_weights.T


class WordsReader(nn.Module):
    """What sentences are compared with: the image side of a frame-text network, learned from the
    teacher's own features. Not in any state.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, state_path: Path) -> None:
        """Raises ValueError where the state is not there."""
        super().__init__()
        if not state_path.is_file():
            raise ValueError(f"words_state is a state of train.frame_text, received {state_path}")
        state = torch.load(state_path, map_location="cpu", weights_only=False)["state_dict"]
        for name in ("weight", "bias"):
            self.register_buffer(name, state[f"network.image_out.{name}"], persistent=False)

    def forward(self, standardized: Tensor) -> Tensor:
        scaled = functional.normalize(standardized) * math.sqrt(standardized.shape[1])
        return functional.normalize(functional.linear(scaled, self.weight, self.bias))


class Comparison:
    """How near a student's features of whole pictures are to the teacher's, and what they know."""

    def __init__(self, teacher: TeacherReader) -> None:
        self._teacher = teacher
        self._seen: list[dict[str, Tensor]] = []

    def add(self, features: Tensor, batch: Batch) -> None:
        target = self._teacher.standardized(batch)
        ours, theirs = (self._teacher.logits(f).argmax(1) for f in (features, target))
        self._seen.append(
            {
                "features": functional.normalize(features),
                "cosine": functional.cosine_similarity(features, target),
                "agreement": (ours == theirs).float(),
                "label": batch["label"],
                "held_out": batch["held_out"],
            }
        )

    def figures(self) -> dict[str, Tensor]:
        seen = {name: torch.cat([part[name] for part in self._seen]) for name in self._seen[0]}
        held_out, labelled = seen["held_out"], seen["label"] >= 0
        return {
            "cosine": seen["cosine"][held_out].mean(),
            "teacher_agreement": seen["agreement"][held_out].mean(),
            "stills_neighbours": neighbour_accuracy(
                seen["features"], seen["label"], labelled & ~held_out, labelled & held_out
            ),
        }


def neighbour_accuracy(features: Tensor, labels: Tensor, known: Tensor, asked: Tensor) -> Tensor:
    """Share of `asked` whose nearest `known` pictures vote for their class; 0 without any."""
    if not bool(known.any()) or not bool(asked.any()):
        return torch.zeros(())
    # Held-out photographs are shifted by the mean of the known ones, as any probe would do.
    centre = features[known].mean(0)
    known_features = functional.normalize(features[known] - centre)
    asked_features = functional.normalize(features[asked] - centre)
    near, which = (asked_features @ known_features.T).topk(min(NEIGHBOURS, int(known.sum())))
    votes = torch.zeros(len(asked_features), int(labels.max()) + 1, device=features.device)
    votes.scatter_add_(1, labels[known][which], (near / NEIGHBOUR_TEMPERATURE).exp())
    return (votes.argmax(1) == labels[asked]).float().mean()
