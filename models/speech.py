"""Text spoken into a WAV file, by a small voice engine that comes with the application."""

import html
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
import unicodedata
import wave
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from models.errors import SpeechError
from models.speech_worker import PIECE

TIME_LIMIT_S = 60.0
WORDS_A_MINUTE = 160
SLOWEST, FASTEST = 80, 400
MOST_CHARS = 24_000  # half an hour; what is longer ends with a sentence that says so
_PIECE_CHARS = 1000  # the engine dies of very long ones
_CUT_OFF = "The rest of the text is not spoken."
_PIECE_S = 20.0
_LEAST_SAMPLES = 200
_SOUND = (1, 2, 22050, 0, "NONE", "not compressed")
_ROOT = Path(__file__).resolve().parents[1]
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Voice:
    """`name` is what people choose by, `language` its code."""

    name: str
    language: str


# The engine has 141 of them, with names of its own; these are worth choosing from.
_IDENTIFIERS = {
    Voice("English, British", "en-GB"): "gmw/en-gb-x-rp",
    Voice("English, British, a woman", "en-GB"): "gmw/en-gb-x-rp+f3",
    Voice("English, American", "en-US"): "gmw/en-us",
    Voice("English, American, a woman", "en-US"): "gmw/en-us+f3",
    Voice("English, Scottish", "en-GB"): "gmw/en-gb-scotland",
    Voice("Arabic", "ar"): "sem/ar",
    Voice("Chinese", "zh"): "sit/cmn",
    Voice("French", "fr"): "roa/fr",
    Voice("German", "de"): "gmw/de",
    Voice("Hindi", "hi"): "inc/hi",
    Voice("Italian", "it"): "roa/it",
    Voice("Portuguese", "pt-BR"): "roa/pt-br",
    Voice("Russian", "ru"): "zle/ru",
    Voice("Spanish", "es"): "roa/es",
    Voice("Turkish", "tr"): "trk/tr",
}
DEFAULT_VOICE = next(iter(_IDENTIFIERS)).name
# Without a choice, letters that English has no sounds for get a voice that has: the first word of
# the Unicode name of a letter says its script.
_VOICE_OF_SCRIPT = {"ARABIC": "Arabic", "CJK": "Chinese", "CYRILLIC": "Russian"}
_VOICE_OF_SCRIPT["DEVANAGARI"] = "Hindi"
_SENTENCE_END = re.compile(r"(?<=[.!?…;:。！？؟।])\s+|\n+")
_TAG = re.compile(r"</?[A-Za-z!][^<>]{0,200}>")
_MARKS = re.compile(r"[*_`#~|<>\\^{}\[\]=]+")


def voices() -> tuple[Voice, ...]:
    """What `speak` can be asked for, the default first. The engine is not started."""
    return tuple(_IDENTIFIERS)


def speak(
    text: str,
    target: Path,
    voice: str | None = None,
    words_a_minute: int | None = None,
    time_limit_s: float = TIME_LIMIT_S,
) -> Path:
    """Speaks the text into a WAV file, which appears when it is complete.

    Raises:
        SpeechError: in the words to show; there is no file then, nor a part of one.
    """
    identifier = _identifier(voice, text)
    rate = WORDS_A_MINUTE if words_a_minute is None else words_a_minute
    if not SLOWEST <= rate <= FASTEST:
        raise SpeechError(f"Speech has {SLOWEST} to {FASTEST} words a minute; choose among them.")
    pieces = cut(spoken_text(text))
    if not pieces:
        raise SpeechError("There is nothing in this text that can be spoken.")
    until = time.monotonic() + time_limit_s
    partial = target.with_name(f".speaking-{os.getpid()}-{time.monotonic_ns()}.part")
    try:
        with partial.open("wb") as file, wave.open(file, "wb") as joined:
            joined.setparams(_SOUND)
            for piece in pieces:
                with tempfile.TemporaryDirectory(prefix="framescry-speech-") as folder:
                    _append(joined, _say(piece, identifier, rate, until, Path(folder)))
        partial.replace(target)
    except OSError as error:
        raise SpeechError(
            f"“{target.name}” could not be written ({error.strerror or 'no reason given'}); "
            "check the folder and the space on the disk."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def spoken_text(text: str) -> str:
    """What is worth saying: words and their punctuation, without markup, signs and emoji.

    A text that is too long ends at a sentence, and with one that says so.
    """
    plain = html.unescape(_TAG.sub(" ", text[: 4 * MOST_CHARS]))
    plain = _MARKS.sub(" ", unicodedata.normalize("NFC", plain))
    kept = "".join(c if _is_spoken(c) else " " for c in plain)
    lines = (" ".join(line.split()) for line in kept.splitlines())
    plain = "\n".join(line for line in lines if any(c.isalnum() for c in line))
    if len(plain) <= MOST_CHARS and len(text) <= 4 * MOST_CHARS:
        return plain
    head = plain[:MOST_CHARS]
    ends = [match.start() for match in _SENTENCE_END.finditer(head)]
    return f"{head[: ends[-1]] if ends else head}\n{_CUT_OFF}"


def _is_spoken(character: str) -> bool:
    """Letters, marks, numbers, punctuation, money and sums; no pictures and no commands."""
    category = unicodedata.category(character)
    return character == "\n" or category[0] in "LMNPZ" or category in ("Sc", "Sm")


def cut(text: str, most_chars: int = _PIECE_CHARS) -> list[str]:
    """Pieces of whole sentences where they fit, else of whole words, else of what fits."""
    pieces: list[str] = []
    for sentence in _SENTENCE_END.split(text):
        for part in _short_parts(sentence, most_chars):
            if pieces and len(pieces[-1]) + 1 + len(part) <= most_chars:
                pieces[-1] += f" {part}"
            else:
                pieces.append(part)
    return [piece for piece in pieces if any(c.isalnum() for c in piece)]


def _short_parts(sentence: str, most_chars: int) -> list[str]:
    parts = []
    while len(sentence) > most_chars:
        space = sentence.rfind(" ", 1, most_chars + 1)
        end = space if space > 0 else most_chars
        parts.append(sentence[:end])
        sentence = sentence[end:].lstrip()
    return [*parts, sentence] if sentence else parts


def _identifier(voice: str | None, text: str) -> str:
    """The engine's own name of a voice; it would take English for any that it does not know."""
    known = {choice.name: identifier for choice, identifier in _IDENTIFIERS.items()}
    if voice is None:
        return known[_VOICE_OF_SCRIPT.get(_script(text), DEFAULT_VOICE)]
    if voice not in known:
        raise SpeechError(f"There is no voice “{voice}”; choose one of: {'; '.join(known)}.")
    return known[voice]


def _script(text: str) -> str:
    """What most letters are written in, such as LATIN; nothing where there are none."""
    letters = (c for c in text[:_PIECE_CHARS] if c.isalpha())
    scripts = Counter(unicodedata.name(c, "unknown").split()[0] for c in letters)
    return scripts.most_common(1)[0][0] if scripts else ""


def _say(text: str, identifier: str, rate: int, until: float, folder: Path) -> Path:
    """One piece, by a child process in a folder of its own."""
    seconds = min(_PIECE_S, until - time.monotonic())
    if seconds <= 0:
        raise SpeechError(_TOO_SLOW)
    request = {"text": text, "voice": identifier, "words_a_minute": rate, "seconds": seconds}
    try:
        child = subprocess.run(
            worker_command(),
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=seconds,
            cwd=folder,
            env=_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SpeechError(_TOO_SLOW) from None
    except OSError as error:
        _log.warning("the voice engine could not be started: %s", error)
        raise SpeechError(_NO_ENGINE) from error
    if child.returncode != 0 or not (folder / PIECE).is_file():
        said = child.stderr.decode(errors="replace").strip()[-500:]
        _log.warning("the voice engine ended with %s: %s", child.returncode, said)
        raise SpeechError(_NO_ENGINE)
    return folder / PIECE


_TOO_SLOW = "The voice engine took too long and was stopped; try again, or a shorter text."
_NO_ENGINE = (
    "The voice engine could not speak this text; run pip install -r requirements.txt again if it "
    "never speaks."
)


def worker_command() -> list[str]:
    return [sys.executable, "-P", "-m", "models.speech_worker"]


def _environment() -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "PYTHONPATH": str(_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _append(joined: wave.Wave_write, piece: Path) -> None:
    try:
        with wave.open(str(piece), "rb") as said:
            if said.getnframes() < _LEAST_SAMPLES or said.getparams()[:3] != _SOUND[:3]:
                raise SpeechError(_NO_ENGINE)
            joined.writeframes(said.readframes(said.getnframes()))
    except (wave.Error, EOFError) as error:
        raise SpeechError(_NO_ENGINE) from error
