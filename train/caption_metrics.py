"""CIDEr-D, BLEU-4 and ROUGE-L of captions against several references, by their usual definitions.

Texts become lower-case words of letters and numbers of digits; punctuation is dropped, nothing is
stemmed. The papers part words as the Penn Treebank does, which differs for hyphens and possessives
only. CIDEr-D (Vedantam et al. 2015): n = 1 to 4, tf-idf with document frequencies over all
references, counts clipped to the reference's, a Gaussian penalty of length with sigma 6, times 10.
BLEU-4 (Papineni et al. 2002): of the whole corpus, closest length of reference. ROUGE-L (Lin 2004):
beta 1.2, best precision and best recall over the references.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

ORDERS = 4
SIGMA = 6.0
CIDER_SCALE = 10.0
ROUGE_BETA = 1.2

Gram = tuple[str, ...]
Words = Sequence[str]

_TOKEN = re.compile(r"[a-z]+|[0-9]+")


def tokens_of(text: str) -> list[str]:
    return _TOKEN.findall(text.lower())


def grams_of(words: Words) -> list[Counter[Gram]]:
    """How often each sequence of 1, 2, 3 and 4 words is there."""
    return [
        Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
        for n in range(1, ORDERS + 1)
    ]


@dataclass(frozen=True, slots=True)
class _Weighed:
    """One text as CIDEr-D sees it: a sparse vector for each n, its norm, and its length."""

    vectors: tuple[dict[Gram, float], ...]
    norms: tuple[float, ...]
    length: int  # as the reference code counts it: of pairs of words


class CiderD:
    """The measure over a fixed set of items with their references.

    The set gives the document frequencies: a document is one item with all its references.
    """

    def __init__(self, references: Sequence[Sequence[Words]]) -> None:
        if not references or not all(references):
            raise ValueError("every item has a reference, received one without, or no item")
        seen: Counter[Gram] = Counter()
        for texts in references:
            seen.update({gram for words in texts for n in grams_of(words) for gram in n})
        documents = math.log(len(references))
        self._idf = {gram: documents - math.log(count) for gram, count in seen.items()}
        self._unseen = documents  # as if one document had it
        self._references = [[self._weigh(words) for words in texts] for texts in references]

    def score(self, item: int, words: Words) -> float:
        """Of one caption for the item, mean over its references."""
        said = self._weigh(words)
        every = self._references[item]
        return CIDER_SCALE * sum(_alike(said, one) for one in every) / len(every)

    def among_references(self, item: int) -> list[float]:
        """Of each reference against the others of its item; 0 where there are no others."""
        every = self._references[item]
        rest = max(len(every) - 1, 1)
        return [
            CIDER_SCALE * sum(_alike(one, other) for j, other in enumerate(every) if j != i) / rest
            for i, one in enumerate(every)
        ]

    def _weigh(self, words: Words) -> _Weighed:
        counted = grams_of(words)
        vectors = tuple(
            {gram: count * self._idf.get(gram, self._unseen) for gram, count in n.items()}
            for n in counted
        )
        norms = tuple(math.sqrt(sum(v * v for v in vector.values())) for vector in vectors)
        return _Weighed(vectors, norms, max(len(words) - 1, 0))


def _alike(said: _Weighed, reference: _Weighed) -> float:
    apart = said.length - reference.length
    total = 0.0
    for mine, theirs, norm, other in zip(
        said.vectors, reference.vectors, said.norms, reference.norms, strict=True
    ):
        if norm and other:
            common = sum(
                min(weight, theirs[gram]) * theirs[gram]
                for gram, weight in mine.items()
                if gram in theirs
            )
            total += common / (norm * other)
    return total / ORDERS * math.exp(-(apart**2) / (2 * SIGMA**2))


def bleu(captions: Sequence[Words], references: Sequence[Sequence[Words]]) -> float:
    """BLEU-4 of the corpus; 0 where no four words in a row are right anywhere."""
    right, said = [0] * ORDERS, [0] * ORDERS
    length, wanted = 0, 0
    for words, texts in zip(captions, references, strict=True):
        length += len(words)
        # The shorter one where two are equally near.
        wanted += min((abs(len(text) - len(words)), len(text)) for text in texts)[1]
        allowed: list[Counter[Gram]] = [Counter() for _ in range(ORDERS)]
        for text in texts:
            for n, counts in enumerate(grams_of(text)):
                allowed[n] |= counts
        for n, counts in enumerate(grams_of(words)):
            right[n] += (counts & allowed[n]).total()
            said[n] += counts.total()
    if not all(right):
        return 0.0
    precision = sum(math.log(r / s) for r, s in zip(right, said, strict=True)) / ORDERS
    return math.exp(precision + min(0.0, 1 - wanted / length))


def rouge_l(words: Words, references: Sequence[Words]) -> float:
    """Of one caption: how long a sequence of its words also stands in a reference, in order."""
    if not words:
        return 0.0
    common = [(_longest_common(words, text), len(text)) for text in references]
    precision = max(length for length, _ in common) / len(words)
    recall = max(length / max(size, 1) for length, size in common)
    if not precision or not recall:
        return 0.0
    weight = ROUGE_BETA**2
    return (1 + weight) * precision * recall / (recall + weight * precision)


def _longest_common(first: Words, second: Words) -> int:
    row = [0] * (len(second) + 1)
    for word in first:
        before = row
        row = [0]
        for place, other in enumerate(second):
            row.append(before[place] + 1 if word == other else max(before[place + 1], row[place]))
    return row[-1]


def caption_figures(
    captions: Sequence[str], references: Sequence[Sequence[str]]
) -> dict[str, float]:
    """One caption for each item, against all references of that item."""
    said = [tokens_of(caption) for caption in captions]
    texts = [[tokens_of(text) for text in every] for every in references]
    cider = CiderD(texts)
    count = len(said)
    return {
        "cider_d": sum(cider.score(item, words) for item, words in enumerate(said)) / count,
        "bleu_4": bleu(said, texts),
        "rouge_l": sum(rouge_l(w, t) for w, t in zip(said, texts, strict=True)) / count,
    }
