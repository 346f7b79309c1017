"""What the five published systems say of themselves, beside what is measured as it is meant."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """`why`: why the two figures differ, in a sentence or two."""

    system: str
    says: str
    honest: str
    why: str


PUBLISHED = (
    PublishedRow(
        "Frame search, ResNet50 and DistilBERT",
        "Right first answer for 82.8 % of Flickr8k's captions, 83.7 % of Flickr30k's and 52.9 % of "
        "MSR-VTT's",
        "30.9 % for a ResNet50 trained on 15 million pictures of the web, over Flickr30k's whole "
        "gallery of 1,000; our own small model 9.8 % of 244 MSR-VTT videos",
        "It counts inside batches of 64 pictures, most of which it was trained on. In such batches "
        "our 9.8 % becomes 26.0 %, and on what it was trained on 54.9 %, by the same embeddings.",
    ),
    PublishedRow(
        "Actions, CNN-RNN on UCF101",
        "58.4 % right, 79.6 % among the first five",
        "83.0 % and 96.8 % for TSN with ResNet50 on official split 1",
        "It cuts a sorted list of its own at 80 %, so the figure stands beside no other. Random "
        "splits are worse: pieces of one recording land on both sides, and models that know 45 % "
        "on split 1 seem to know 85 to 91 %.",
    ),
    PublishedRow(
        "Keyframes on TVSum, ResNet50 with local and global attention",
        "No figure; it names Spearman, Kendall, squared error and precision at 15 %",
        "tau .17, rho .23 here, five folds, against each of 20 people; people among each other "
        ".18 and .21",
        "Its local attention had no mask and its ranking loss no gradient. Against the average of "
        "all people every figure is far higher, and compares with nothing here.",
    ),
    PublishedRow(
        "Triggers, LLaVA on chosen frames",
        "No figure; it says that 10 to 30 % of the frames are looked at closely",
        "Average precision .69 for fights, where chance is .52; 23 false events an hour of other "
        "videos",
        "Nobody publishes one for such a system. Its part that knows about time got no gradient, "
        "and its probabilities never fell below .1, so a low threshold fired on every frame.",
    ),
    PublishedRow(
        "Summaries by TimeSformer on SumMe",
        "No figure; it offers SumMe's evaluation",
        "On SumMe even random scores reach tau .092 by the published rule, and 0 by one person at "
        "a time",
        "SumMe's people chose stretches and gave no scores: the rule that averages them first "
        "rewards whatever is not constant. Both rules are in this program.",
    ),
)

PROTOCOLS = (
    (
        "Summaries",
        "Every model scores the frames of videos that people scored before, two a second. tau and "
        "rho say how well the two orders agree, person by person: 0 is chance, and people among "
        "each other reach about .18 and .21. No video that is measured was trained on.",
    ),
    (
        "Search",
        "A sentence is looked for among all videos or pictures of a set that was held out. Recall "
        "at 1, 5 and 10: how often the right one is the first, among the first five or ten. It "
        "falls as the set grows, so the size of the set stands beside it.",
    ),
    (
        "Actions",
        "How often the right label is the first, or among the first five, on clips or photographs "
        "whose recordings were not trained on. Beside it: how many clips of something else are "
        "turned away.",
    ),
    (
        "Events",
        "Average precision over whole clips of places that were not trained on, chance beside it; "
        "and how many false events an hour come of videos where nothing happens.",
    ),
    (
        "Boxes",
        "AP: how well boxes fit and how they are ranked, over all kinds of things. The figure of "
        "compact_detector is against the boxes of a larger detector, which are not the truth.",
    ),
    (
        "Speed",
        "Frames a second of one core of one processor, everything from pixels to the answer, with "
        "the index that is read; without decoding. Networks of the hub were timed in their real "
        "shapes with random weights, which takes as long.",
    ),
)

# What to choose when: a task, the model that answers at once, and what else is worth its cost.
ADVICE = (
    ("Summaries", "keyframe_scorer", "“Learned from people” is best where people would agree; "
     "“Key shots” explains itself. TimeSformer sees motion, for patience or a GPU."),
    ("Search", "compact", "It answers while you type, and often misses. siglip2-base is far "
     "better and says how sure it is; clip-vit-b32 is several times as fast as that."),
    ("Actions", "action_classifier", "For everyday actions and sports, at once. VideoMAE knows "
     "400 actions and sees motion; your own labels need no model at all."),
    ("Events", "trigger_detector", "Fights only, and it misses more than half. Words and example "
     "pictures find other events; train your own for what matters."),
    ("Boxes", "compact_detector", "People who are not too small. dfine-small finds 80 kinds of "
     "things; it is better than DETR and several times as fast."),
    ("Descriptions", "captioner", "A short sentence, often wrong. smolvlm2-500m says what happens "
     "and whether the trigger is real, in minutes on a CPU and seconds on a GPU."),
)  # fmt: skip
