"""A picture that somebody searches with, as pixels."""

import io
from pathlib import Path

from models.errors import RequestError
from models.types import Pixels

# Searching looks at a few hundred pixels; what is shown beside the answer at fewer.
LONG_SIDE_PX = 640
SHOWN_PX = 120
MOST_PIXELS = 150_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


def read_picture(path: Path) -> Pixels:
    """Upright RGB, made small; of an animation the first frame.

    Raises:
        RequestError: the file is no picture, is damaged, or is larger than any screen.
    """
    import numpy as np
    from PIL import Image, ImageOps, UnidentifiedImageError

    known = [name for name in FORMATS if name in Image.registered_extensions().values()]
    try:
        with Image.open(path, formats=known) as image:
            if image.width * image.height > MOST_PIXELS:
                raise RequestError("That picture is too large; choose one made for a screen.")
            image.draft("RGB", (LONG_SIDE_PX, LONG_SIDE_PX))
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise RequestError(
            "That file cannot be read as a picture; choose a JPEG, PNG or WebP."
        ) from error
    except Image.DecompressionBombError as error:
        raise RequestError("That picture is too large; choose one made for a screen.") from error
    upright.thumbnail((LONG_SIDE_PX, LONG_SIDE_PX))
    return np.asarray(upright, np.uint8)


def shown(picture: Pixels) -> bytes:
    """A small JPEG of it."""
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((SHOWN_PX, SHOWN_PX))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=80)
    return written.getvalue()
