"""The own vocabulary: every word can be written, and equal captions give equal pieces."""

import pytest

from models.subwords import NOTHING_ID, Subwords, count_words, learn_subwords, words_of

CAPTIONS = ["A man is cooking in a pan", "the cook is cooking", "two men cook a fish"] * 5


def learned(size: int = 110) -> Subwords:
    return learn_subwords(count_words(CAPTIONS), size)


def test_words_lose_case_accents_and_signs() -> None:
    assert words_of("Café-goers: 12 DOGS, the dog's") == [
        "cafe", "goers", "1", "2", "dogs", "the", "dog", "s",
    ]  # fmt: skip


def test_common_words_become_one_piece_and_unseen_ones_share_pieces() -> None:
    subwords = learned()
    assert subwords.pieces_of("cook") == ["_cook"]
    assert subwords.pieces_of("cooker")[0] == "_cook"
    assert "".join(subwords.pieces_of("zyzzyva")) == "_zyzzyva"
    assert subwords.encode("cooker")[0] == subwords.encode("cook")[0]


def test_ids_are_distinct_within_the_size_and_never_empty() -> None:
    subwords = learned()
    every = {piece for word in count_words(CAPTIONS) for piece in subwords.encode(word)}
    assert max(every) < len(subwords) <= 110
    assert subwords.encode("abcdefghijklmnopqrstuvwxyz0123456789")
    assert subwords.encode("") == subwords.encode("??? 日本") == [NOTHING_ID]
    assert len({subwords.encode(word)[0] for word in ("man", "men", "fish", "two")}) == 4


def test_equal_counts_give_equal_vocabularies_and_json_keeps_them() -> None:
    subwords = learned()
    backwards = dict(reversed(list(count_words(CAPTIONS).items())))
    assert learn_subwords(backwards, 110) == subwords
    again = Subwords.from_json(subwords.to_json())
    assert again == subwords
    assert again.encode("a cooking fishmonger") == subwords.encode("a cooking fishmonger")


def test_leaving_merges_out_gives_shorter_pieces_of_the_same_word() -> None:
    subwords = learned()
    whole = subwords.encode_word("cooking")
    letters = subwords.encode_loosely("cooking", lambda: True)
    assert len(letters) == len("cooking") > len(whole)
    assert subwords.encode_loosely("cooking", lambda: False) == whole


def test_merges_follow_the_definition() -> None:
    """Against the plain algorithm: count every pair anew before each merge."""
    counts = count_words(CAPTIONS)
    words = {word: [f"_{word[0]}", *word[1:]] for word in counts}
    wanted = []
    for _ in range(15):
        totals: dict[tuple[str, str], int] = {}
        for word, symbols in words.items():
            for pair in zip(symbols, symbols[1:], strict=False):
                totals[pair] = totals.get(pair, 0) + counts[word]
        best = min(totals, key=lambda pair: (-totals[pair], pair))
        wanted.append(best)
        for symbols in words.values():
            place = 0
            while place < len(symbols) - 1:
                if (symbols[place], symbols[place + 1]) == best:
                    symbols[place : place + 2] = ["".join(best)]
                place += 1
    assert list(learned(200).merges[:15]) == wanted


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"merges": [3]}', '{"merges": ["ab"]}', '{"merges": ["xx y"]}', "no"]
)
def test_what_is_no_vocabulary_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Subwords.from_json(text)
