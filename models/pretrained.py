"""Networks of transformers from a folder: whole or refused, without network and without code.

A tensor that the folder lacks would be filled with random numbers and answer all the same; so a
network that did not find every one of its weights is not used.
"""

import threading
from pathlib import Path
from typing import Any

from models.device import free_threads, lends_gpu, torch_device
from models.errors import CheckpointError
from models.hub import lacking_in, weights_hash

# Counters of training that older files do not have; nothing reads them.
_NOT_READ = ("num_batches_tracked",)
# Nothing is looked up and nothing is run, whatever a folder says of itself.
_CLOSED = {"local_files_only": True, "trust_remote_code": False}


class Pretrained:
    """A network and its processor, on the GPU in bf16 where there is one, else on the CPU.

    `running` is held while the network works: one run already uses all there is. Where a GPU is
    lent by the call, the network waits on the CPU and moves in the process that was lent it.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        auto_network: str,
        auto_processor: str,
        lent_gpu: bool = False,
    ) -> None:
        """`auto_network` and `auto_processor`: of transformers' Auto classes.

        `lent_gpu`: the network computes in calls marked with gpu_calls.on_gpu and nowhere else, so
        that where a GPU is lent it is read in the GPU's precision.

        Raises:
            CheckpointError: what lies there is not a whole model of that kind.
        """
        self.name = name
        self.running = threading.Lock()
        lacking = lacking_in(folder)
        if lacking is not None:
            raise CheckpointError(f"The folder of {name} has no {lacking}: fetch it again.")
        self._place = self.device
        self._for_gpu = self.device == "cuda" or (lent_gpu and lends_gpu())
        try:
            self.processor = _opened(folder, auto_processor)
            self._placed = self._network(folder, auto_network)
        except _damage() as error:
            raise CheckpointError(
                f"The files of {name} cannot be used ({_first_line(error)}): fetch them again."
            ) from error
        self.weights_hash = weights_hash(folder)

    @property
    def device(self) -> str:
        """Where this process computes."""
        return torch_device()

    @property
    def network(self) -> Any:
        """It is there by then."""
        if self.device != self._place:
            self._placed, self._place = self._placed.to(self.device), self.device
        return self._placed

    def _network(self, folder: Path, auto_network: str) -> Any:
        import torch

        dtype = torch.bfloat16 if self._for_gpu else torch.float32
        network, loading = _opened(
            folder, auto_network, use_safetensors=True, dtype=dtype, output_loading_info=True
        )
        lost = [key for key in loading["missing_keys"] if not key.endswith(_NOT_READ)]
        lost += [mismatch[0] for mismatch in loading["mismatched_keys"]]
        if lost:
            raise ValueError(f"{len(lost)} of its weights are not there, such as {min(lost)}")
        return network.eval().to(self.device)

    def given(self, inputs: Any) -> Any:
        """What the processor made, where the network is and in its precision."""
        return inputs.to(self.device, dtype=self.network.dtype)

    def free_threads(self) -> None:
        """Before a run: as many threads as there are idle cores."""
        import torch

        if self.device == "cpu":
            torch.set_num_threads(free_threads())


def _damage() -> tuple[type[Exception], ...]:
    """What is raised of files that are damaged or of another kind; transformers has no error."""
    from safetensors import SafetensorError

    lookups = (LookupError, AttributeError, TypeError)
    return (OSError, ValueError, RuntimeError, ImportError, SafetensorError, *lookups)


def _opened(folder: Path, auto_class: str, **options: Any) -> Any:
    import transformers

    speaking: Any = transformers.logging
    speaking.set_verbosity_error()
    speaking.disable_progress_bar()
    return getattr(transformers, auto_class).from_pretrained(str(folder), **_CLOSED, **options)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
