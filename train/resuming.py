"""Going on from a state: what of it does not fit is said before any of it is used."""

from pathlib import Path
from typing import Any

import lightning
import torch

from models.compatibility import compare


class CheckingTrainer(lightning.Trainer):
    """Refuses a state of another network; Lightning would list every tensor of it."""

    def fit(  # type: ignore[override]
        self, model: Any, data: Any = None, *, ckpt_path: Any = None, **options: Any
    ) -> None:
        check_fits(model, ckpt_path)
        super().fit(model, data, None, None, ckpt_path, **options)

    def test(  # type: ignore[override]
        self, model: Any, data: Any = None, *, ckpt_path: Any = None, **options: Any
    ) -> Any:
        check_fits(model, ckpt_path)
        return super().test(model, data, ckpt_path, **options)


def check_fits(module: lightning.LightningModule, state_path: str | Path | None) -> None:
    """Raises ValueError where the state was made of another network."""
    if state_path is None or not Path(state_path).is_file():
        return
    state = torch.load(state_path, map_location="cpu", mmap=True, weights_only=False)
    stored = {name: tuple(tensor.shape) for name, tensor in state["state_dict"].items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    report = compare(stored, wanted)
    if not (report.complete if module.strict_loading else report.fits):
        raise ValueError(
            f"{state_path} was made of another network than the config's: {report.summary}"
        )
