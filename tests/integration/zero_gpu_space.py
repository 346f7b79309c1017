"""Starts app.py as a ZeroGPU Space does, by the Space's own library, where there is no GPU.

All of it is real (torch taken over, one launch, forked workers, queues of pickles) but for the last
step, in which the worker would reach the GPU that it was lent: it stays on the CPU.
"""

import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))

from models import gpu_calls  # noqa: E402

gpu_calls.prepare()

from spaces.zero import wrappers  # type: ignore[import-untyped]  # noqa: E402

wrappers.torch.init = lambda nvidia_uuid: None
wrappers.torch.move = lambda callback=None: None

runpy.run_path("app.py", run_name="__main__")
