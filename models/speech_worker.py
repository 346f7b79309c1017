"""Child process of speech.py: one piece of text -> one WAV file.

stdin: a JSON object with `text`, `voice`, `words_a_minute` and `seconds`. The file appears as
`piece.wav` in the current folder. pyttsx3 is a singleton of its process, keeps only the last of
several files and waits forever where it cannot write, so it never runs in the parent.
"""

import contextlib
import ctypes
import json
import math
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import Any

PIECE = "piece.wav"
_DATA = "espeak-data"


def load_engine() -> None:
    """Has pyttsx3 use the espeak-ng that came with the application, else the system's own."""
    try:
        import espeakng_loader
    except ImportError:
        return
    loader: Any = espeakng_loader  # it has no types
    # The engine takes paths of at most 160 characters; from here a link is short.
    Path(_DATA).symlink_to(loader.get_data_path())
    os.environ["ESPEAK_DATA_PATH"] = _DATA
    # The system's loader then finds this one when pyttsx3 asks for a library of the same name.
    with contextlib.suppress(OSError):
        ctypes.CDLL(loader.get_library_path(), mode=ctypes.RTLD_GLOBAL)


def speak(text: str, voice: str, words_a_minute: int, seconds: float) -> bool:
    import pyttsx3

    speaker: Any = pyttsx3  # nor has this
    engine = speaker.init("espeak")
    engine.setProperty("voice", voice)
    engine.setProperty("rate", words_a_minute)
    # runAndWait may return before the file is there: only this event says that it is.
    finished = threading.Event()
    engine.connect("finished-utterance", lambda name=None, completed=None: finished.set())
    engine.save_to_file(text, PIECE)
    engine.runAndWait()
    return finished.wait(seconds)


def main() -> int:
    request = json.load(sys.stdin)
    seconds = float(request["seconds"])
    signal.alarm(math.ceil(seconds) + 1)  # an orphan of a killed parent does not stay
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    load_engine()
    spoken = speak(request["text"], request["voice"], int(request["words_a_minute"]), seconds)
    return 0 if spoken else 1


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # the engine may fail in its own clean-up
