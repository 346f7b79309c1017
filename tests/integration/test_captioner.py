"""The shipped captioner on a real video, in a process of its own."""

import subprocess
import sys

from tests.real_media import shared_video

SAID = """
import sys
from pathlib import Path
import numpy as np
from models.registry import load
from models.video.source import VideoSource

captioner = load("captioner")
with VideoSource(Path({path!r})) as source:
    batch = next(iter(source.sample(1.0, short_side_px=captioner.short_side_px)))
text = captioner.describe(batch.pixels)
again, confidence = captioner.describe_features(load("backbone").encode_frames(batch.pixels))
assert text == again and 0 <= confidence <= 1, (text, again, confidence)
found = captioner.describe_event(batch, "a jump")
assert found.text == text and found.verdict is None, found
print(text)
sys.exit("torch" in sys.modules)
"""


def test_it_says_a_sentence_without_torch() -> None:
    path = shared_video("example_320x240.avi")
    code = SAID.format(path=str(path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert 3 <= len(words) <= 18 and done.stdout.islower()
