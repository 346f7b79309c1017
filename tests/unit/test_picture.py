"""Pictures that people search with."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.sources.picture import LONG_SIDE_PX, MOST_PIXELS, read_picture, shown
from models.errors import RequestError


def test_pictures_come_upright_small_and_in_colour(tmp_path: Path) -> None:
    wide = Image.new("RGB", (1600, 800), "red")
    wide.paste("blue", (0, 0, 800, 800))  # the left half
    turned = Image.Exif()
    turned[274] = 6  # turned a quarter to the right when shown
    wide.save(tmp_path / "turned.jpg", exif=turned)
    pixels = read_picture(tmp_path / "turned.jpg")
    assert pixels.dtype == np.uint8
    assert pixels.shape == (LONG_SIDE_PX, LONG_SIDE_PX // 2, 3)
    assert pixels[10, 160].argmax() == 2 and pixels[-10, 160].argmax() == 0
    assert shown(pixels).startswith(b"\xff\xd8")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_pixel_becomes_rgb(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("picture.jpg" if mode == "CMYK" else "picture.png")
    Image.new(mode, (5, 3)).save(path)
    assert read_picture(path).shape == (3, 5, 3)


def test_what_is_no_picture_is_refused_in_a_sentence(tmp_path: Path) -> None:
    whole = tmp_path / "whole.png"
    Image.effect_noise((64, 64), 80).save(whole)
    files = {
        "text": b"no picture",
        "empty": b"",
        "cut short": whole.read_bytes()[:200],
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(RequestError, match="cannot be read as a picture"):
            read_picture(path)


@pytest.mark.filterwarnings("ignore:Image size")
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    side = int(MOST_PIXELS**0.5) + 100
    path = tmp_path / "bomb.png"
    Image.new("1", (side, side)).save(path)
    with pytest.raises(RequestError, match="too large"):
        read_picture(path)
