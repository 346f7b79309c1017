"""Which files of this repository a Space runs: these, and nothing else."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import UserFacingError

ROOT = Path(__file__).resolve().parents[2]
# Folders and files, as git knows them: what is trained or made on one machine stays there.
RUNS = (
    "app/",
    "models/",
    "checkpoints/",
    "assets/examples/",
    "assets/readme/",
    "assets/CREDITS.md",
    "app.py",
    "requirements.txt",
    "packages.txt",
    "README.md",
    "LICENSE",
)
STAYS = ("app/space/", "checkpoints/local/")
# Larger ones would have to be kept in another way.
LARGEST_BYTES = 10_000_000


class SpaceError(UserFacingError):
    """A Space could not be made or filled."""


@dataclass(frozen=True, slots=True)
class SpaceFile:
    path: str  # from the root of the repository
    size: int


def files_of_space(root: Path = ROOT) -> tuple[SpaceFile, ...]:
    """What would be pushed, by path.

    Raises:
        SpaceError: this is no checkout of the repository.
    """
    names = [
        name
        for name in _git(root, "ls-files", "-z").split("\0")
        if name.startswith(RUNS) and not name.startswith(STAYS)
    ]
    there = [name for name in sorted(names) if (root / name).is_file()]
    return tuple(SpaceFile(name, (root / name).stat().st_size) for name in there)


def check_files(files: Sequence[SpaceFile], root: Path = ROOT) -> None:
    """
    Raises:
        SpaceError: what is here is not what is committed, or a file is too large.
    """
    for file in files:
        if (root / file.path).is_symlink():  # what it leads to is not what is committed
            raise SpaceError(f"{file.path} is a link: put the file itself there, or take it out.")
        if file.size > LARGEST_BYTES:
            raise SpaceError(
                f"{file.path} has {file.size / 1e6:.1f} MB, and {LARGEST_BYTES / 1e6:.0f} MB are "
                "the most that is pushed: make it smaller or take it out."
            )
    changed = _git(root, "status", "--porcelain", "-z").split("\0")[0]
    if changed:
        raise SpaceError(
            f"There are changes that are not committed, such as {changed[3:]}: commit them first, "
            "so that it can be told what the Space runs."
        )


def commit_of(root: Path = ROOT) -> str:
    return _git(root, "rev-parse", "--short", "HEAD").strip()


def copy_files(files: Sequence[SpaceFile], target: Path, root: Path = ROOT) -> None:
    for file in files:
        copy = target / file.path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file.path, copy)


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise SpaceError(
            "Only a checkout of the repository can be pushed, and git has to be installed: clone "
            "it first."
        ) from error
    return done.stdout
