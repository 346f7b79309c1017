"""CIDEr-D, BLEU-4 and ROUGE-L against values worked out by hand."""

import math

import pytest

from train.caption_metrics import CiderD, bleu, caption_figures, rouge_l, tokens_of


def words(*texts: str) -> list[list[str]]:
    return [tokens_of(text) for text in texts]


def test_words_are_lower_case_letters_or_numbers() -> None:
    assert tokens_of("A man's 20 T-shirts, no...") == ["a", "man", "s", "20", "t", "shirts", "no"]


def test_cider_of_the_same_words_is_ten() -> None:
    cider = CiderD([words("a man rides a horse"), words("two dogs play outside here")])
    assert cider.score(1, tokens_of("two dogs play outside here")) == pytest.approx(10.0)
    # What every item has weighs nothing: log(2) - log(2).
    common = CiderD([words("a b c d"), words("a b c d")])
    assert common.score(0, tokens_of("a b c d")) == 0.0


def test_cider_by_hand() -> None:
    # Two documents, each word in one of them only, so every tf-idf is count * log 2 and the
    # logarithm cancels. Caption "x y" for the reference "x z": one word of two is right:
    # n=1: 1 / (sqrt 2 * sqrt 2) = 1/2, higher n: 0, lengths are equal.
    cider = CiderD([words("x z"), words("p q")])
    assert cider.score(0, ["x", "y"]) == pytest.approx(10 * (1 / 2) / 4)
    # "x x" for "x z": clipped to one x: min(2, 1) * 1 / (2 * sqrt 2).
    assert cider.score(0, ["x", "x"]) == pytest.approx(10 * (1 / (2 * math.sqrt(2))) / 4)


def test_cider_punishes_length_by_a_gaussian_of_sigma_six() -> None:
    # Caption "x z" and the reference "x z a b c d e f": 2 and 8 words, so six pairs more.
    cider = CiderD([words("x z a b c d e f"), words("p q")])
    one = 2 / (math.sqrt(2) * math.sqrt(8))  # two of eight words
    two = 1 / (1 * math.sqrt(7))  # one of seven pairs
    assert cider.score(0, ["x", "z"]) == pytest.approx(10 * (one + two) / 4 * math.exp(-36 / 72))


def test_cider_counts_documents_not_references() -> None:
    # "x" is in both references of one item and in none of the others: df 1 of 3, idf log 3.
    # "y" is in two items: log 3/2. Caption "x y" against "x y" and "x w".
    cider = CiderD([words("x y", "x w"), words("y"), words("q")])
    a, b = math.log(3), math.log(1.5)
    norm = math.hypot(a, b)
    first = 1.0 + 1.0  # n = 1 and n = 2
    second = a * a / (norm * math.hypot(a, a))
    assert cider.score(0, ["x", "y"]) == pytest.approx(10 * (first + second) / 4 / 2)


def test_agreement_leaves_a_reference_out_of_its_own_score() -> None:
    cider = CiderD([words("x y", "x y", "u v"), words("p q")])
    same, _, other = cider.among_references(0)
    assert same == pytest.approx(10 * 2 / 4 / 2)  # like one of two others, in n = 1 and 2
    assert other == 0.0


def test_an_item_needs_a_reference() -> None:
    with pytest.raises(ValueError, match="reference"):
        CiderD([words("a"), []])


def test_bleu_by_hand() -> None:
    # "the cat sat on the mat" for "the cat sat on a mat": 5/6, 3/5, 2/4, 1/3, same length.
    said, texts = words("the cat sat on the mat"), [words("the cat sat on a mat")]
    wanted = (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25
    assert bleu(said, texts) == pytest.approx(wanted)


def test_bleu_of_a_short_caption_is_cut_by_the_closest_reference() -> None:
    # Four words beside two and five: the closest has five, exp(1 - 5/4).
    said = words("a b c d")
    texts = [words("x y", "a b c d e")]
    assert bleu(said, texts) == pytest.approx(math.exp(-0.25))
    # As near to three as to five: the shorter counts, so nothing is cut.
    assert bleu(said, [words("a b c d e", "x y z")]) == pytest.approx(1.0)


def test_bleu_clips_words_said_too_often_and_pools_the_corpus() -> None:
    assert bleu(words("a a a a"), [words("a a b c")]) == 0.0
    # One "a" in each of two references allows one, not two.
    said, texts = words("a a b c d"), [words("a b c d x", "y a b c d")]
    assert bleu(said, texts) == pytest.approx((4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)
    said, texts = words("a b c d", "a a a a"), [words("a b c d"), words("a x y z")]
    assert bleu(said, texts) == pytest.approx((5 / 8 * 3 / 6 * 2 / 4 * 1 / 2) ** 0.25)


def test_rouge_by_hand() -> None:
    # Longest common sequence of "a c d" and "a b c" is "a c": precision 2/3, recall 2/3.
    assert rouge_l(["a", "c", "d"], words("a b c")) == pytest.approx(2 / 3)
    # Best precision of one reference with the best recall of another.
    precision, recall, weight = 2 / 3, 1.0, 1.2**2
    wanted = (1 + weight) * precision * recall / (recall + weight * precision)
    assert rouge_l(["a", "c", "d"], words("a b c", "d")) == pytest.approx(wanted)
    assert rouge_l(["x"], words("a b c")) == 0.0
    assert rouge_l([], words("a")) == 0.0


def test_all_figures_of_right_captions() -> None:
    texts = ["two dogs play outside here", "a red car on some road"]
    found = caption_figures(texts, [[text] for text in texts])
    assert found == pytest.approx({"cider_d": 10.0, "bleu_4": 1.0, "rouge_l": 1.0})
