"""Pushes what runs to a Space, and makes the Space first where there is none.

python -m app.space.push OWNER/NAME [--hardware zero-a10g] [--private] [--dry-run]
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.space.files import (
    ROOT,
    SpaceError,
    SpaceFile,
    check_files,
    commit_of,
    copy_files,
    files_of_space,
)
from models import hub
from models.errors import UserFacingError

HARDWARE = "zero-a10g"  # what ZeroGPU is still called
_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: done. 2: something the person can fix, said in one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m app.space.push", description=__doc__)
    parser.add_argument("repo", metavar="OWNER/NAME")
    parser.add_argument("--hardware", default=HARDWARE, help=f"{HARDWARE}, cpu-basic, ...")
    parser.add_argument("--private", action="store_true")
    parser.add_argument("--dry-run", action="store_true", help="says what would be pushed")
    options = parser.parse_args(arguments)
    try:
        push(options.repo, options.hardware, options.private, options.dry_run)
    except UserFacingError as error:
        print(f"framescry: {error}", file=sys.stderr)
        return 2
    return 0


def push(
    repo: str,
    hardware: str = HARDWARE,
    private: bool = False,
    dry_run: bool = False,
    root: Path = ROOT,
    open_hub: Callable[[], Any] | None = None,
) -> None:
    """`open_hub` gives what stands in for huggingface_hub.HfApi.

    Raises:
        SpaceError: in the words to show.
    """
    if not _NAME.fullmatch(repo):
        raise SpaceError(f"{repo!r} names no Space: give it as OWNER/NAME.")
    files = files_of_space(root)
    _list(files)
    check_files(files, root)
    if dry_run:
        print(f"Nothing was pushed; without --dry-run it goes to {repo}.")
        return
    with tempfile.TemporaryDirectory() as folder:
        copy_files(files, Path(folder), root)
        _upload((open_hub or _hub)(), repo, hardware, private, folder, commit_of(root))
    print(f"It is being built: https://huggingface.co/spaces/{repo}")


def _list(files: Sequence[SpaceFile]) -> None:
    for file in files:
        print(f"{file.size:>12,}  {file.path}")
    total = sum(file.size for file in files)
    print(f"{total:>12,}  in {len(files)} files")


def _hub() -> Any:
    """
    Raises:
        SpaceError: there is no token, or no way to the hub.
    """
    from huggingface_hub import HfApi, get_token

    if get_token() is None:
        raise SpaceError(
            "There is no token for the model hub: set HF_TOKEN, or sign in by `hf auth login`."
        )
    why = hub.why_not_asked()
    if why is not None:
        raise SpaceError(f"Nothing was pushed: {why}; try again with a connection.")
    return HfApi()


def _upload(api: Any, repo: str, hardware: str, private: bool, folder: str, commit: str) -> None:
    from httpx import HTTPError
    from huggingface_hub.errors import HfHubHTTPError

    try:
        api.create_repo(
            repo,
            repo_type="space",
            space_sdk="gradio",
            space_hardware=hardware,
            private=private,
            exist_ok=True,
        )
        if api.get_space_runtime(repo).requested_hardware != hardware:  # it was there before
            api.request_space_hardware(repo, hardware)
        api.upload_folder(
            repo_id=repo,
            repo_type="space",
            folder_path=folder,
            delete_patterns="*",  # of what is there, and not among these
            commit_message=f"Framescry at {commit}",
        )
    except HfHubHTTPError as error:
        raise SpaceError(_refusal(error, repo, hardware)) from error
    except (HTTPError, OSError) as error:
        raise SpaceError(
            f"The connection to the model hub was lost ({type(error).__name__}): push again; what "
            "arrived is not used before all of it did."
        ) from error


def _refusal(error: Any, repo: str, hardware: str) -> str:
    status = error.response.status_code
    if status == 401:
        return "The model hub does not know this token: make a new one, and set HF_TOKEN."
    if status == 403:
        return (
            f"This token may not write to {repo}, or its account may not use {hardware}, which "
            "needs a PRO account if it is ZeroGPU: give it the right to, or try another --hardware."
        )
    said = " ".join(str(error.server_message or error).split())[:300].rstrip(".")
    return f"The model hub refused with {status} ({said}): correct that and push again."


if __name__ == "__main__":
    sys.exit(main())
