"""Child process: one utterance -> one WAV file. argv[1]: the file; stdin: the text.

The speech engine is a singleton of its process and may hang, so it never runs in the parent.
"""

import contextlib
import ctypes
import os
import sys
import threading
from pathlib import Path

VOICE = "gmw/en-gb-x-rp"
WORDS_PER_MINUTE = 158
GIVE_UP_S = 20.0


def load_engine() -> None:
    """Makes pyttsx3 find the espeak-ng of the espeakng-loader package if the system has none."""
    with contextlib.suppress(OSError):
        ctypes.CDLL("libespeak-ng.so.1")
        return
    import espeakng_loader

    os.environ.setdefault("ESPEAK_DATA_PATH", espeakng_loader.get_data_path())
    ctypes.CDLL(espeakng_loader.get_library_path(), mode=ctypes.RTLD_GLOBAL)


def speak(text: str, path: Path) -> bool:
    import pyttsx3

    engine = pyttsx3.init("espeak")
    engine.setProperty("voice", VOICE)
    engine.setProperty("rate", WORDS_PER_MINUTE)
    # runAndWait may return before the file is there: only this event says that it is.
    finished = threading.Event()
    engine.connect("finished-utterance", lambda name=None, completed=None: finished.set())
    engine.save_to_file(text, str(path))
    engine.runAndWait()
    return finished.wait(GIVE_UP_S)


if __name__ == "__main__":
    load_engine()
    spoken = speak(sys.stdin.read(), Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0 if spoken else 1)  # the engine may fail in its own clean-up
