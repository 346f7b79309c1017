"""An own vocabulary of pieces of words: byte-pair merges learned from captions, in plain python.

Every text in Latin letters and digits can be written with it, seen before or not: the alphabet is
part of the vocabulary, so an unknown word falls into the longest pieces that were learned. The
first piece of a word starts with an underscore.
"""

import heapq
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_lowercase, digits

WORD_START = "_"
PADDING_ID = 0
NOTHING_ID = 1  # stands for a text in which no word was found
FIRST_ID = 2
CACHED_WORDS = 50_000

_WORD = re.compile(r"[a-z]+|[0-9]")
ALPHABET = tuple(
    start + letter for start in (WORD_START, "") for letter in ascii_lowercase + digits
)

Pair = tuple[str, str]


def words_of(text: str) -> list[str]:
    """Lower-case words without accents; each digit is a word of its own."""
    plain = unicodedata.normalize("NFKD", text.lower())
    # Accents are combining marks after their letter; dropped, they do not part the word.
    return _WORD.findall("".join(c for c in plain if not unicodedata.combining(c)))


@dataclass(frozen=True, slots=True)
class Subwords:
    """The merges in the order in which they were learned; piece ids follow from them."""

    merges: tuple[Pair, ...]
    _ranks: dict[Pair, int] = field(init=False, repr=False, compare=False)
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)
    _known: dict[str, tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ids = {piece: FIRST_ID + number for number, piece in enumerate(ALPHABET)}
        for left, right in self.merges:
            if left not in ids or right not in ids:
                raise ValueError(f"a merge joins pieces made before it, received {left, right}")
            ids.setdefault(left + right, FIRST_ID + len(ids))
        object.__setattr__(self, "_ranks", {pair: i for i, pair in enumerate(self.merges)})
        object.__setattr__(self, "_ids", ids)
        object.__setattr__(self, "_known", {})

    def __len__(self) -> int:
        """Ids go from 0 to this, padding and "no word" among them."""
        return FIRST_ID + len(self._ids)

    def encode(self, text: str) -> list[int]:
        """Piece ids; never empty."""
        found = [piece for word in words_of(text) for piece in self.encode_word(word)]
        return found or [NOTHING_ID]

    def encode_word(self, word: str) -> tuple[int, ...]:
        known = self._known.get(word)
        if known is None:
            known = tuple(self._ids[piece] for piece in self.pieces_of(word))
            if len(self._known) < CACHED_WORDS:
                self._known[word] = known
        return known

    def encode_loosely(self, word: str, skip: Callable[[], bool]) -> tuple[int, ...]:
        """As encode_word, but a merge for which `skip` says so is left out: shorter pieces.

        Training shows both, so that the pieces of a word come to mean what the word does.
        """
        return tuple(self._ids[piece] for piece in self.pieces_of(word, skip))

    def pieces_of(self, word: str, skip: Callable[[], bool] | None = None) -> list[str]:
        """The word, a result of words_of, as pieces."""
        symbols = _symbols(word)
        while len(symbols) > 1:
            pairs = [
                (rank, place)
                for place, pair in enumerate(zip(symbols, symbols[1:], strict=False))
                if (rank := self._ranks.get(pair)) is not None and not (skip and skip())
            ]
            if not pairs:
                break
            _, place = min(pairs)
            symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]
        return symbols

    def to_json(self) -> str:
        merges = [f"{left} {right}" for left, right in self.merges]
        return json.dumps({"merges": merges}, indent=0) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Subwords":
        """Raises ValueError where the text is no vocabulary."""
        values = json.loads(text)
        merges = values.get("merges") if isinstance(values, dict) else None
        if not isinstance(merges, list):
            raise ValueError("a vocabulary is an object with the list merges")
        pairs = [tuple(merge.split(" ")) if isinstance(merge, str) else () for merge in merges]
        if any(len(pair) != 2 for pair in pairs):
            raise ValueError("a merge is two pieces with a space between them")
        return cls(tuple((pair[0], pair[1]) for pair in pairs))


def _symbols(word: str) -> list[str]:
    return [WORD_START + word[0], *word[1:]]


def count_words(texts: Sequence[str]) -> Counter[str]:
    return Counter(word for text in texts for word in words_of(text))


def learn_subwords(counts: Mapping[str, int], size: int) -> Subwords:
    """Joins the commonest neighbours, again and again, until there are `size` pieces.

    Ties go to the pair that comes first in the alphabet, so that equal counts give equal
    vocabularies.
    """
    words = [(_symbols(word), count) for word, count in sorted(counts.items())]
    totals: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)
    for number, (symbols, count) in enumerate(words):
        for pair in zip(symbols, symbols[1:], strict=False):
            totals[pair] += count
            where[pair].add(number)
    queue = [(-total, pair) for pair, total in totals.items()]
    heapq.heapify(queue)
    pieces = set(ALPHABET)
    merges: list[Pair] = []
    while queue and FIRST_ID + len(pieces) < size:
        total, pair = heapq.heappop(queue)
        if totals[pair] != -total or total > -2:
            if 0 < totals[pair] != -total:
                heapq.heappush(queue, (-totals[pair], pair))
            continue  # counted anew since it was queued, or met only once
        merges.append(pair)
        pieces.add(pair[0] + pair[1])
        for changed in _apply(pair, words, totals, where):
            heapq.heappush(queue, (-totals[changed], changed))
    return Subwords(tuple(merges))


def _apply(
    pair: Pair,
    words: list[tuple[list[str], int]],
    totals: Counter[Pair],
    where: defaultdict[Pair, set[int]],
) -> set[Pair]:
    """Joins the pair in every word; the pairs that are met more often than before."""
    more: set[Pair] = set()
    for number in sorted(where.pop(pair)):
        symbols, count = words[number]
        for old in zip(symbols, symbols[1:], strict=False):
            totals[old] -= count
        place = 0
        while place < len(symbols) - 1:
            if (symbols[place], symbols[place + 1]) == pair:
                symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]
            place += 1
        for new in zip(symbols, symbols[1:], strict=False):
            totals[new] += count
            where[new].add(number)
            more.add(new)
    return {new for new in more if totals[new] > 0}
