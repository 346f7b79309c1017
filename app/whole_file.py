"""Files that appear under their name only when they are complete."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from models.errors import ExportError


@contextmanager
def whole_file(dst: Path) -> Iterator[IO[bytes]]:
    """A file to write into; it takes the place of `dst` at the end, or vanishes on an exception."""
    partial: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=dst.parent, prefix=".writing-", suffix=".part", delete=False
        ) as file:
            partial = Path(file.name)
            yield file
        partial.chmod(0o644)
        partial.replace(dst)
    except OSError as error:
        raise ExportError(
            f"“{dst.name}” could not be written ({error.strerror or 'no reason given'}); "
            "check the folder and the space on the disk."
        ) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def write_text(dst: Path, text: str) -> Path:
    """UTF-8 with the line ends it has; what UTF-8 cannot hold becomes a question mark."""
    with whole_file(dst) as file:
        file.write(text.encode("utf-8", "replace"))
    return dst
