"""Pushes a checkpoint folder to the model hub, from where anybody can add it in the application.

    python -m train.push checkpoints/local/NAME owner/repo [--private] [--licence apache-2.0]

What is pushed is the folder as it is, and its card once more as the README.md that the hub shows,
with the lines that the hub reads. The hub's own login (hf auth login, or HF_TOKEN) says who pushes.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from models import hub
from models.checkpoint import CARD_FILE, Checkpoint, read_checkpoint
from models.errors import UserFacingError
from models.hub_checkpoints import HUB_CARD, ORIGIN_FILE, Address, read_address

LIBRARY = "framescry"
# What the hub calls that which a kind of checkpoint does.
PIPELINES = {
    "backbone": "image-feature-extraction",
    "captioner": "image-to-text",
    "compact_detector": "object-detection",
    "frame_text_encoder": "zero-shot-image-classification",
}
VIDEO_PIPELINE = "video-classification"
_PUSHED_ENDINGS = (".json", ".md", ".xml", ".safetensors")


def hub_card(checkpoint: Checkpoint, licence: str) -> str:
    """The card with what the hub reads of it."""
    front = {
        "license": licence,
        "library_name": LIBRARY,
        "pipeline_tag": PIPELINES.get(checkpoint.kind, VIDEO_PIPELINE),
        "tags": [LIBRARY, checkpoint.kind, "video"],
    }
    card = (checkpoint.folder / CARD_FILE).read_text(encoding="utf-8")
    return f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n{card}"


def pushed_files(folder: Path) -> list[Path]:
    """Nothing but what a checkpoint is made of: not where it was fetched from, no stray files."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file()
        and path.suffix in _PUSHED_ENDINGS
        and path.name not in (ORIGIN_FILE, HUB_CARD)
    )


def push(folder: Path, address: Address, *, private: bool, licence: str) -> str:
    """The page of the commit.

    Raises:
        ValueError: the hub cannot be asked, or does not take it.
        CheckpointError: the folder is not a whole checkpoint.
    """
    checkpoint = read_checkpoint(folder)
    if not (folder / CARD_FILE).is_file():
        raise ValueError(f"{folder} has no {CARD_FILE}: say there what it is, then push it")
    why = hub.why_not_asked()
    if why is not None:
        raise ValueError(f"{address.repo_id} was not pushed: {why}")
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    with tempfile.TemporaryDirectory() as made:
        for path in pushed_files(folder):
            shutil.copyfile(path, Path(made) / path.name)
        (Path(made) / HUB_CARD).write_text(hub_card(checkpoint, licence), encoding="utf-8")
        api: Any = HfApi()
        try:
            api.create_repo(address.repo_id, private=private, exist_ok=True)
            done = api.upload_folder(
                repo_id=address.repo_id,
                folder_path=made,
                revision=address.revision,
                commit_message=f"{checkpoint.name}, weights {checkpoint.weights_hash[:12]}",
            )
        except (HfHubHTTPError, OSError) as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise ValueError(f"{address.repo_id} was not pushed: {said[0]}") from error
    return str(done.commit_url)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.push")
    parser.add_argument("folder", type=Path, help="of a checkpoint")
    parser.add_argument("repository", help="owner/repo, or owner/repo@branch")
    parser.add_argument("--private", action="store_true", help="where the repository is made anew")
    parser.add_argument("--licence", default="other", help="as the hub names it; default: other")
    flags = parser.parse_args(arguments)
    try:
        address = read_address(flags.repository)
        page = push(flags.folder, address, private=flags.private, licence=flags.licence)
    except (ValueError, UserFacingError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{flags.folder} is at {page}; in the application it is added as {address.repo_id}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
