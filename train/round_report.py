"""A line for every round of a training."""

from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback


class Report(Callback):
    """`round 3 train/loss .51 val/tau .17`: every figure of training and validation."""

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        if trainer.is_global_zero:
            shown = " ".join(
                f"{name} {float(value):.4f}"
                for name, value in trainer.callback_metrics.items()
                if name.startswith(("train/", "val/"))
            )
            print(f"round {self.place(trainer, module)} {shown}", flush=True)

    def place(self, trainer: lightning.Trainer, module: Any) -> str:
        """Which round it is."""
        return str(trainer.current_epoch)
