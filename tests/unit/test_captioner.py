"""The captioner in numpy: it computes what torch does, and its beam finds what it should."""

import dataclasses
from itertools import product

import numpy as np
import pytest
import torch

from models.caption_decoder import CaptionDecoder, CaptionShape, Said, SearchRules, rules_from
from models.caption_words import (
    END_ID,
    FIRST_ID,
    PADDING_ID,
    START_ID,
    UNKNOWN_ID,
    CaptionWords,
    content_words,
    learn_words,
)
from models.captioner import Caption, Captioner, Confidence
from models.types import Floats
from train.caption_network import CaptionNetwork, sayable

SHAPE = CaptionShape(vocabulary=9, input_dim=12, dim=16, heads=4)


def network(shape: CaptionShape = SHAPE, std: float = 0.4) -> CaptionNetwork:
    torch.manual_seed(1)
    made = CaptionNetwork(shape).eval()
    for weights in made.parameters():
        torch.nn.init.normal_(weights, std=std)
    return made


def decoder(made: CaptionNetwork, open_ids: tuple[int, ...] = ()) -> CaptionDecoder:
    arrays = {name: tensor.numpy() for name, tensor in made.state_dict().items()}
    assert {name: array.shape for name, array in arrays.items()} == made.shape.tensors()
    return CaptionDecoder(arrays, made.shape, open_ids)


def features(count: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal((count, SHAPE.input_dim), np.float32)


@torch.inference_mode()
def torch_logs(made: CaptionNetwork, seen: Floats, ids: list[int]) -> Floats:
    """[L + 1, vocabulary]: after the start and after each word."""
    rows, present = torch.from_numpy(seen)[None], torch.ones(1, len(seen), dtype=torch.bool)
    words = torch.tensor([[START_ID, *ids]])
    logits = made(made.look(rows, present), words, torch.ones_like(words) > 0)
    return np.asarray(logits.log_softmax(1).numpy(), np.float32)


@pytest.mark.parametrize("count", [1, 2, 7, 300])
def test_numpy_computes_what_torch_does(count: int) -> None:
    made, ids = network(), [5, 8, 4, 4, 6]
    wanted = torch_logs(made, features(count), ids)
    numpy = decoder(made)
    seen = numpy.look(features(count))
    hidden = seen.hidden[None]
    for word, expected in zip([START_ID, *ids], wanted, strict=True):
        logs, hidden = numpy.step(seen, hidden, np.array([word]))
        np.testing.assert_allclose(logs[0], expected, atol=1e-4)
    total = wanted[np.arange(6), [*ids, END_ID]].sum()
    assert numpy.probability_of(features(count), ids).log_probability == pytest.approx(
        float(total), abs=1e-3
    )


@torch.inference_mode()
def test_frames_beside_it_and_their_padding_do_not_matter() -> None:
    made = network()
    words = torch.tensor([[START_ID, 5, 6], [START_ID, 7, 4]])
    rows = torch.zeros(2, 4, SHAPE.input_dim)
    rows[0, :2], rows[1] = torch.from_numpy(features(2, 3)), torch.from_numpy(features(4, 4))
    present = torch.tensor([[True, True, False, False], [True] * 4])
    together = made(made.look(rows, present), words, words >= 0)
    np.testing.assert_allclose(
        together[:3].log_softmax(1).numpy(), torch_logs(made, features(2, 3), [5, 6]), atol=1e-5
    )
    # As a set: their order changes nothing, another frame does.
    turned = torch_logs(made, features(4, 4)[::-1].copy(), [7, 4])
    np.testing.assert_allclose(together[3:].log_softmax(1).numpy(), turned, atol=1e-5)
    assert np.abs(torch_logs(made, features(3, 4), [7, 4]) - turned).max() > 1e-3


def test_a_wide_beam_finds_the_best_of_all_captions() -> None:
    made = network(std=0.6)
    numpy, seen = decoder(made), features(3)
    rules = SearchRules(beams=200, length_power=0.0, shortest=1, longest=2)
    every = [
        numpy.probability_of(seen, ids)
        for length in (1, 2)
        for ids in product(range(FIRST_ID, SHAPE.vocabulary), repeat=length)
        if length == 1 or ids[0] != ids[1]  # no word stands twice in a row
    ]
    # Where a caption is as long as it may be, its end is certain whatever its probability.
    best = max(every, key=lambda said: said.log_probability)
    found = numpy.search(seen, rules)
    assert found[0].ids == best.ids
    assert found[0].log_probability == pytest.approx(best.log_probability, abs=1e-3)
    logs = [said.log_probability for said in found]
    assert logs == sorted(logs, reverse=True)
    assert len({said.ids for said in found}) == len(found)


def test_the_search_keeps_its_rules() -> None:
    made = network(std=0.6)
    numpy = decoder(made, open_ids=(5, 6))
    for seed in range(10):
        found = numpy.search(features(2, seed), SearchRules(beams=4, shortest=3, longest=6))
        assert 1 <= len(found) <= 4
        for said in found:
            assert 3 <= len(said.ids) <= 6
            assert min(said.ids) >= FIRST_ID  # nothing but words
            assert said.ids[-1] not in (5, 6) or len(said.ids) == 6
            pairs = list(zip(said.ids, said.ids[1:], strict=False))
            assert len(set(pairs)) == len(pairs)
            assert all(a != b for a, b in pairs)


def test_length_counts_as_the_rules_say() -> None:
    made, seen = network(std=0.6), features(3)
    lengths = [
        len(decoder(made).search(seen, SearchRules(20, power, shortest=1, longest=9))[0].ids)
        for power in (0.0, 3.0)
    ]
    assert lengths[0] < lengths[1]


def test_rules_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="beams"):
        SearchRules(beams=0)
    with pytest.raises(ValueError, match="shortest"):
        SearchRules(shortest=9, longest=4)
    with pytest.raises(ValueError, match="search rules"):
        rules_from({"beams": 3})
    assert rules_from(dataclasses.asdict(SearchRules(beams=3))).beams == 3
    with pytest.raises(ValueError, match="multiple of heads"):
        CaptionShape(9, 12, dim=10, heads=4)


@torch.inference_mode()
def test_what_is_said_in_training_ends_once_and_holds_words_alone() -> None:
    made = network(std=0.6)
    made.words_bias[[PADDING_ID, START_ID, UNKNOWN_ID]] = 50.0  # likely, and yet never said
    made.words_bias[END_ID] = 0.0
    rows, present = torch.from_numpy(features(24)).view(12, 2, -1), torch.ones(12, 2) > 0
    seen = made.look(rows, present)
    drawn = made.speak(seen, 5, torch.Generator().manual_seed(0))
    again = made.speak(seen, 5, torch.Generator().manual_seed(0))
    other = made.speak(seen, 5, torch.Generator().manual_seed(1))
    assert torch.equal(drawn, again)
    assert drawn.shape != other.shape or not torch.equal(drawn, other)
    for ids in drawn.tolist():
        end = ids.index(END_ID)
        assert end <= 5 and min(ids[:end], default=FIRST_ID) >= FIRST_ID
        assert set(ids[end + 1 :]) <= {PADDING_ID}
    assert len({ids.index(END_ID) for ids in drawn.tolist()}) > 1


@torch.inference_mode()
def test_what_is_said_of_an_item_is_said_beside_others_too() -> None:
    made = network(std=0.6)
    made.words_bias[END_ID] += 1.5
    rows, present = torch.from_numpy(features(24)).view(12, 2, -1), torch.ones(12, 2) > 0
    together = made.speak(made.look(rows, present), 5, None)
    lengths = set()
    for row in range(12):
        alone = made.speak(made.look(rows[[row]], present[[row]]), 5, None)[0]
        lengths.add(len(alone))
        assert together[row, : len(alone)].tolist() == alone.tolist()
        logs = torch_logs(made, rows[row].numpy(), alone[:-1].tolist())
        logs[:, [PADDING_ID, START_ID, UNKNOWN_ID]] = -np.inf
        assert logs[: len(alone) - 1].argmax(1).tolist() == alone[:-1].tolist()
    assert len(lengths) > 1  # some end before others


def test_only_what_can_be_said_is_learned() -> None:
    ids = torch.tensor([[5, UNKNOWN_ID, END_ID, 0], [START_ID, 6, 7, END_ID]])
    assert sayable(ids).tolist() == [[True, False, True, False], [False, True, True, True]]


def test_words_and_their_ids() -> None:
    texts = ["A man's dog runs", "a dog", "a man runs", "a s"]
    words = learn_words(texts, 2)
    assert words.words == ("a", "dog", "man", "runs", "s")
    assert words.encode("a blue dog") == [FIRST_ID, UNKNOWN_ID, FIRST_ID + 1]
    assert words.decode([START_ID, *words.encode("a man's dog"), END_ID]) == "a man's dog"
    assert CaptionWords.from_json(words.to_json()) == words
    assert len(words) == FIRST_ID + 5
    for wrong in ("[]", '{"words": [1]}', '{"words": ["a", "a"]}'):
        with pytest.raises(ValueError, match="vocabulary"):
            CaptionWords.from_json(wrong)


def test_words_of_content() -> None:
    assert content_words("a man is riding a horse with the man") == ["man", "riding", "horse"]
    assert content_words("there is a") == []


def test_it_says_the_surest_where_it_doubts() -> None:
    said = Said((5, 6), -1.0)
    bold, plain = Caption("a man wins", said, 0.1, 0.3), Caption("a man", said, 0.1, 0.6)
    captioner = Captioner.__new__(Captioner)
    captioner.doubt_below = 0.4
    assert captioner.chosen([bold, plain]) is plain
    captioner.doubt_below = 0.2
    assert captioner.chosen([bold, plain]) is bold


def test_confidence_is_a_share() -> None:
    sure = Confidence(per_word=1.0, match=2.0, words=-0.5, offset=0.25)
    assert sure.of(-1.0, 0.5, 2) == pytest.approx(1 / (1 + np.exp(0.75)))
    assert 0 <= sure.of(-1e6, 0.0, 0) < 1e-9
