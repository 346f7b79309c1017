"""Networks that are read from and written to our own checkpoints by the hub's usual verbs.

    network = ScorerNetwork.from_pretrained("owner/repo")        # or a folder of this machine
    network.save_pretrained("checkpoints/local/mine")
    network.push_to_hub("owner/repo")

The hub's mixin has a layout of its own (the arguments of the class in config.json), which the
application could not load: so what it reads and writes is replaced by models.checkpoint. Whole
folders, with their card and figures, are pushed by train.push.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self

from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from torch import nn

from models.checkpoint import (
    CONFIG_FILE,
    METRICS_FILE,
    WEIGHTS_FILE,
    load_weights,
    read_checkpoint,
    write_checkpoint,
)
from models.described import within_weights

_FETCHED = (CONFIG_FILE, METRICS_FILE, WEIGHTS_FILE)
_OF_ONE_FILE = ("name", "format_version", "weights_dtype", "weights_sha256", "graph")
CARD = (
    "# {name}\n\nWeights of a {kind}, written by save_pretrained. Nothing was measured of them: "
    "python -m train.export does both.\n"
)


class HubNetwork(nn.Module, PyTorchModelHubMixin):
    """A network that is made from one description, the `architecture` of its checkpoint."""

    checkpoint_kind: ClassVar[str]
    shape_type: ClassVar[type[Any]]
    shape: Any
    described: Mapping[str, Any] = MappingProxyType({})  # by the checkpoint that it was read from

    def _save_pretrained(self, save_directory: Path) -> None:
        """What was measured of the weights that were loaded says nothing of these."""
        described = {
            "kind": self.checkpoint_kind,
            "preprocessing": {},
            **self.described,
            "architecture": dataclasses.asdict(self.shape),
        }
        card = CARD.format(name=save_directory.name, kind=self.checkpoint_kind)
        write_checkpoint(save_directory, self, config=described, metrics={}, card=card, half=False)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
        **_ignored: Any,
    ) -> Self:
        """
        Raises:
            CheckpointError: there is no whole checkpoint of this kind.
        """
        folder = Path(model_id)
        if not folder.is_dir():
            for name in _FETCHED:  # beside each other, as a folder
                path = hf_hub_download(
                    model_id,
                    name,
                    revision=revision,
                    cache_dir=cache_dir,
                    force_download=force_download,
                    local_files_only=local_files_only,
                    token=token,
                )
                folder = Path(path).parent
        checkpoint = read_checkpoint(folder, kind=cls.checkpoint_kind)
        with within_weights(checkpoint.weights_path):
            network = cls(cls.shape_type(**checkpoint.architecture))
        load_weights(checkpoint, network)
        network.described = {
            key: value for key, value in checkpoint.config.items() if key not in _OF_ONE_FILE
        }
        return network.eval()
