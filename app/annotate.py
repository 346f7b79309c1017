"""A page to look through proposed events, correct them and add others.

    python -m app.annotate annotations.json --videos DIR [--port 7861]

The file is written by `python -m train.annotate_triggers`, or made here where there is none.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from models.errors import UserFacingError

PORT = 7861


def main(arguments: Sequence[str] | None = None) -> int:
    flags = _parser().parse_args(arguments)
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    from app.review import Review

    try:
        review = Review(flags.annotations, flags.videos)
    except UserFacingError as error:
        print(error, file=sys.stderr)
        return 2
    import gradio as gr

    from app.demo import launch_options
    from app.services import Services
    from app.settings import Settings
    from app.tabs.annotating import AnnotatingPage

    settings = replace(Settings.from_environment(), port=flags.port)
    with gr.Blocks(title="Framescry · events", analytics_enabled=False) as page:
        AnnotatingPage(Services(settings), review)
    page.launch(**{**launch_options(settings), "footer_links": [], "mcp_server": False})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.annotate")
    parser.add_argument("annotations", type=Path, metavar="FILE.json")
    parser.add_argument("--videos", type=Path, required=True, metavar="DIR")
    parser.add_argument("--port", type=int, default=PORT)
    return parser


if __name__ == "__main__":
    sys.exit(main())
