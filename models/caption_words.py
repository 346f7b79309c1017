"""The words that a captioner can say: whole ones, common in captions, in a fixed order."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from models.subwords import count_words, words_of

PADDING_ID, START_ID, END_ID, UNKNOWN_ID = range(4)
FIRST_ID = 4

# A caption does not end with one of these: something is missing.
OPEN_WORDS = frozenset(
    words_of(
        "a an and are as at be being by for from his her in into is its my near of off on "
        "onto or over some that the their there this to up was were while who with your very"
    )
)
# Words that say nothing of what is seen.
EMPTY_WORDS = OPEN_WORDS | frozenset(
    words_of(
        "about after all also another around back before down each front has have having he "
        "him i it many not one other out s she something someone them then they through "
        "together two three several various different what when where which you doing shown "
        "showing shows show seen being there here"
    )
)
# As many of these as are meant: what else a caption names is left out rather than guessed at.
PEOPLE = frozenset(
    words_of(
        "man men woman women person people boy boys girl girls child children kid kids baby "
        "babies guy guys lady ladies crowd audience player players band singer singers team "
        "teams chef cook dancer dancers actor actress actors reporter soldier soldiers judge "
        "judges couple family students student wrestlers wrestler models model host anchor "
        "driver"
    )
)
THINGS = frozenset(
    words_of(
        "airplane animal animals apple bag ball basket basketball bear bed beach bench bike "
        "bicycle bird birds boat boats book books bottle bowl box bread bridge building "
        "buildings bus cake camera car cars cat cats chair chairs chicken city computer couch "
        "cow cup dish dog dogs door dress drink eggs elephant face field fire fish flower "
        "flowers food forest fruit game garden glass grass guitar gun hair hand hands hat "
        "helicopter horse horses house ice image keyboard kitchen knife lake laptop lion "
        "machine meat microphone milk money monkey moon motorcycle mountain mountains ocean "
        "oil onions pan paper phone piano picture pizza plane plant plate pool pot potatoes "
        "rain ring river road rock rocks room salad sand sauce screen sea sheep ship shirt "
        "sky snow soup space stage star stove street suit sun swimming sword table tank tiger "
        "train tree trees truck umbrella uniform vegetables vehicle wall water wheel wood"
    )
)


@dataclass(frozen=True, slots=True)
class CaptionWords:
    """Ids begin with padding, start, end and unknown; then the words in their order."""

    words: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ids = {word: FIRST_ID + place for place, word in enumerate(self.words)}
        if len(ids) != len(self.words):
            raise ValueError("a vocabulary has every word once, received one twice")
        object.__setattr__(self, "_ids", ids)

    def __len__(self) -> int:
        return FIRST_ID + len(self.words)

    def encode(self, text: str) -> list[int]:
        """Without start and end; a word that it cannot say is UNKNOWN_ID."""
        return [self._ids.get(word, UNKNOWN_ID) for word in words_of(text)]

    def decode(self, ids: Iterable[int]) -> str:
        said = " ".join(self.words[number - FIRST_ID] for number in ids if number >= FIRST_ID)
        return said.replace(" s ", "'s ")

    def ids_of(self, words: Iterable[str]) -> list[int]:
        return sorted(self._ids[word] for word in words if word in self._ids)

    def to_json(self) -> str:
        return json.dumps({"words": self.words}, indent=0) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "CaptionWords":
        """Raises ValueError where the text is no list of words."""
        values = json.loads(text)
        words = values.get("words") if isinstance(values, dict) else None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ValueError("a vocabulary is an object with the list words")
        return cls(tuple(words))


def learn_words(texts: Sequence[str], least_count: int) -> CaptionWords:
    """Every word that is there so often, the commonest first; ties by the alphabet."""
    counts = count_words(texts)
    kept = [word for word, count in counts.items() if count >= least_count]
    return CaptionWords(tuple(sorted(kept, key=lambda word: (-counts[word], word))))


def content_words(text: str) -> list[str]:
    """The words of a caption that say what is seen, each once, in their order."""
    return list(dict.fromkeys(word for word in words_of(text) if word not in EMPTY_WORDS))
