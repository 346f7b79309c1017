"""The entry of the application, here and on a Space."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# Before numpy comes in: with other programs beside it BLAS's own threads spin, ten times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from models import gpu_calls  # noqa: E402

gpu_calls.prepare()  # before torch comes in, and before the launch

from app.demo import build_demo, launch_options  # noqa: E402
from app.services import Services  # noqa: E402
from app.settings import Settings  # noqa: E402
from app.upkeep import look_after  # noqa: E402

settings = Settings.from_environment()
services = Services(settings)
demo = build_demo(services)

if __name__ == "__main__":
    demo.launch(**launch_options(settings), prevent_thread_lock=True)
    look_after(services)
    demo.block_thread()
