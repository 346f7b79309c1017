"""The names that tensors have in files of the published trigger system, as ours.

Its visual encoder keeps torchvision's network as a plain sequence, so that a ResNet's first
convolution is `backbone.0` and its last stage `backbone.7`; files with torchvision's own names are
read as well. What network it was is told from names and shapes alone.
"""

import re
from collections.abc import Mapping

from models.compatibility import Shape
from models.published_triggers import PublishedShape

RESNET_PARTS = {
    "0": "conv1",
    "1": "bn1",
    "4": "layer1",
    "5": "layer2",
    "6": "layer3",
    "7": "layer4",
}
# (has bottlenecks, blocks of each stage) of what timm has under a name.
RESNETS: dict[tuple[bool, tuple[int, ...]], str] = {
    (False, (2, 2, 2, 2)): "resnet18",
    (False, (3, 4, 6, 3)): "resnet34",
    (True, (3, 4, 6, 3)): "resnet50",
    (True, (3, 4, 23, 3)): "resnet101",
}
# What each member of a torchvision MBConv block is to timm; the first stage does not expand.
FIRST_BLOCK = ("conv_dw bn1", "se", "conv_pw bn2")
OTHER_BLOCK = ("conv_pw bn1", "conv_dw bn2", "se", "conv_pwl bn3")
SQUEEZE = {"fc1": "conv_reduce", "fc2": "conv_expand"}
EFFICIENTNET_ENDS = {"0.0": "conv_stem", "0.1": "bn1", "8.0": "conv_head", "8.1": "bn2"}
NOT_USED = "num_batches_tracked"  # a count that training keeps and nothing else reads
TRUNK, PROJECTION = "trunk.", "projection."
DETECTOR_PARTS = ("feature_projection.", "temporal_encoder.", "classifier.")


def our_name(name: str) -> str:
    """Of a tensor of the file; as it is where we have nothing like it."""
    for prefix in ("visual_encoder.backbone.", "visual_encoder.", "backbone."):
        if name.startswith(prefix) and not name.startswith("visual_encoder.projection."):
            return TRUNK + _trunk_name(name.removeprefix(prefix))
    if name.startswith("visual_encoder.projection."):
        return name.removeprefix("visual_encoder.")
    return name.removeprefix("trigger_detector.")


def _trunk_name(name: str) -> str:
    efficient = re.fullmatch(r"(?:0|features)\.(\d+\.\d+.*)", name)
    if efficient:
        return _efficientnet_name(efficient[1]) or name
    first, dot, rest = name.partition(".")
    return RESNET_PARTS.get(first, first) + dot + rest


def _efficientnet_name(name: str) -> str | None:
    ends = ".".join(name.split(".")[:2])
    if ends in EFFICIENTNET_ENDS:
        return EFFICIENTNET_ENDS[ends] + name.removeprefix(ends)
    found = re.fullmatch(r"(\d+)\.(\d+)\.block\.(\d+)\.(\w+)\.(\w+)", name)
    if found is None:
        return None
    stage, block, member, part, value = found.groups()
    members = FIRST_BLOCK if stage == "1" else OTHER_BLOCK
    if int(member) >= len(members):
        return None
    what = members[int(member)].split()
    inside = f"se.{SQUEEZE.get(part, part)}" if what == ["se"] else what[int(part)]
    return f"blocks.{int(stage) - 1}.{block}.{inside}.{value}"


def architecture_of(names: Mapping[str, Shape]) -> str | None:
    """timm's name of the trunk; None where it is none of those known."""
    trunk = [name.removeprefix(TRUNK) for name in names if name.startswith(TRUNK)]
    if any(name.startswith("blocks.6.") for name in trunk):
        return "efficientnet_b0"
    blocks = tuple(
        len({name.split(".")[1] for name in trunk if name.startswith(f"layer{stage}.")})
        for stage in range(1, 5)
    )
    return RESNETS.get((any(".conv3." in name for name in trunk), blocks))


def detector_shape(names: Mapping[str, Shape], constant: float) -> PublishedShape | None:
    """Of the published detector; None where its first or last layer is not there to tell."""
    first, last = names.get("feature_projection.0.weight"), names.get("classifier.3.weight")
    if first is None or last is None or len(first) != 2 or len(last) != 2:
        return None
    temporal = any(name.startswith("temporal_encoder.") for name in names)
    return PublishedShape(
        input_dim=first[1] + 1,
        feature_dim=first[1],
        hidden_dim=first[0],
        classes=last[0],
        temporal=temporal,
        constant=constant,
    )
