"""Speech: any text becomes a sound file that is not empty, or one plain sentence."""

import os
import sys
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models import speech
from models.errors import SpeechError
from models.speech import MOST_CHARS, Voice, cut, speak, spoken_text, voices

SENTENCE = "At 0:12 two people shake hands, and at 0:31 one of them walks away. "
ODD_TEXTS = (
    "A fight begins at 0:42 and ends at 0:57.",
    "🎬🔥 A dog 🐕 runs! 🎉",
    "مرحبا، هذا تقرير عن الفيديو. شخصان يتحدثان.",
    "<b>Bold</b> &amp; <script>alert('x')</script> **marked** [text](link) `code` # heading",
    "null\x00byte, bell\x07, tab\t, escape\x1b[31m, override\u202e and a lone \ud800 surrogate",
    "Привет, мир. 你好，世界。こんにちは。",
    "a" * 3000,
    "7",
    "${window.x} {{this}} %s %n [[h@'loU]]",
    "She said \"no\"; he said 'yes' - and so on…",
    "\n\n\nOne.\n\n\nTwo.\n\n",
    "e\u0301\u0301\u0301\u0301 ﷽ Ⅷ ½ ﬁ",
)
NOTHING = ("", "   \n\t", "🎬🔥🎉", "<br><hr>", "\x00\x01\x02", "...!?", "***", "\u0301")
# All 200 take a minute; a few say whether the rest would.
UTTERANCES = 200 if os.environ.get("FRAMESCRY_KILLS") else 18


def seconds(path: Path) -> float:
    with wave.open(str(path)) as sound:
        return float(sound.getnframes() / sound.getframerate())


def test_many_odd_texts_six_at_a_time(tmp_path: Path) -> None:
    def say(number: int) -> Path:
        return speak(ODD_TEXTS[number % len(ODD_TEXTS)], tmp_path / f"{number}.wav")

    with ThreadPoolExecutor(6) as people:
        files = list(people.map(say, range(UTTERANCES)))
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".wav"] == []
    assert len(set(files)) == UTTERANCES
    assert all(seconds(path) > 0.2 for path in files)


@pytest.mark.parametrize("text", NOTHING)
def test_where_nothing_can_be_said(text: str, tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="nothing in this text"):
        speak(text, tmp_path / "x.wav")
    assert not list(tmp_path.iterdir())


def test_a_long_text_is_spoken_to_its_end(tmp_path: Path) -> None:
    text = SENTENCE * (20_000 // len(SENTENCE) + 1)
    short = seconds(speak(SENTENCE, tmp_path / "one.wav"))
    long = seconds(speak(text, tmp_path / "all.wav"))
    assert long > 0.9 * short * text.count("hands")


def test_a_faster_voice_takes_less_time_and_voices_differ(tmp_path: Path) -> None:
    slow = speak(SENTENCE, tmp_path / "slow.wav", words_a_minute=100)
    fast = speak(SENTENCE, tmp_path / "fast.wav", words_a_minute=300)
    assert seconds(fast) < 0.6 * seconds(slow)
    sounds = {
        speak("One.", tmp_path / "voice.wav", voice.name).read_bytes(): voice for voice in voices()
    }
    assert len(sounds) == len(voices()), "the engine takes its own for a voice it does not know"
    assert voices()[0] == Voice("English, British", "en-GB")


def test_letters_of_another_script_get_a_voice_of_theirs(tmp_path: Path) -> None:
    text = "شخصان يتحدثان في الغرفة"
    own = speak(text, tmp_path / "own.wav").read_bytes()
    assert own == speak(text, tmp_path / "arabic.wav", "Arabic").read_bytes()
    assert own != speak(text, tmp_path / "english.wav", "English, British").read_bytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"voice": "nobody"}, "no voice “nobody”"),
        ({"words_a_minute": 5}, "80 to 400"),
        ({"time_limit_s": 0.001}, "took too long"),
    ],
)
def test_what_cannot_be_done_is_said(options: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match=said):
        speak("Hello.", tmp_path / "x.wav", **options)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="could not be written"):
        speak("Hello.", tmp_path / "missing" / "x.wav")


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import time; time.sleep(60)", "took too long"),
        ("import os; os.kill(os.getpid(), 11)", "could not speak"),
        ("print('fine')", "could not speak"),
        ("open('piece.wav', 'w')", "could not speak"),
    ],
)
def test_an_engine_that_hangs_dies_or_writes_nothing(
    program: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "worker_command", lambda: [sys.executable, "-c", program])
    with pytest.raises(SpeechError, match=said):
        speak("Hello.", tmp_path / "x.wav", time_limit_s=1.0)
    assert not list(tmp_path.iterdir())


def test_the_engine_comes_with_the_application_wherever_that_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """espeak takes no paths longer than 160 characters."""
    monkeypatch.setenv("ESPEAK_DATA_PATH", "/nowhere")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    deep = tmp_path / ("x" * 90) / ("y" * 90)
    deep.mkdir(parents=True)
    assert seconds(speak("Hello.", deep / "x.wav")) > 0.2


def test_pieces_are_whole_sentences_where_they_fit() -> None:
    assert cut("One. Two! Three? Four", 11) == ["One. Two!", "Three? Four"]
    assert cut("aaaa bbbb cccc", 9) == ["aaaa bbbb", "cccc"]
    assert cut("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
    text = SENTENCE * 300
    pieces = cut(spoken_text(text))
    assert max(map(len, pieces)) <= 1000
    assert " ".join(pieces) == text.strip()


def test_what_is_too_long_ends_with_a_sentence_that_says_so() -> None:
    text = spoken_text(SENTENCE * 1000)
    assert len(text) <= MOST_CHARS + 50
    assert text.endswith("walks away.\nThe rest of the text is not spoken.")


def test_markup_emoji_and_commands_are_not_spoken() -> None:
    assert spoken_text("<p>A **dog** 🐕 &amp; a\x07 cat</p>") == "A dog & a cat"
    assert spoken_text("3 < 4") == "3 4"
    assert spoken_text("costs 5 € – or 6") == "costs 5 € – or 6"
