"""What actions are called, and which of every data set's own classes mean the same.

Captioned videos are real clips of actions too: one shows an action where several of its twenty
captions say so, and something else where none of them names any action that is told apart.
"""

import re
from collections.abc import Sequence

# Readable name -> "source/class" of the photographs and clips.
SAME: dict[str, tuple[str, ...]] = {
    "talking on the phone": ("actions15/calling",),
    "clapping": ("actions15/clapping",),
    "riding a bike": ("actions15/cycling",),
    "dancing": ("actions15/dancing",),
    "drinking": ("actions15/drinking",),
    "eating": ("actions15/eating",),
    "fighting": ("actions15/fighting", "fight/fight", "ut_interaction/punch"),
    "hugging": ("actions15/hugging", "ut_interaction/hug"),
    "laughing": ("actions15/laughing",),
    "listening to music": ("actions15/listening_to_music",),
    "running": ("actions15/running", "weizmann/run"),
    "sitting": ("actions15/sitting",),
    "sleeping": ("actions15/sleeping",),
    "texting on a phone": ("actions15/texting",),
    "using a laptop": ("actions15/using_laptop",),
    "playing badminton": ("sports22/badminton",),
    "playing baseball": ("sports22/baseball",),
    "playing basketball": ("sports22/basketball",),
    "boxing": ("sports22/boxing",),
    "playing chess": ("sports22/chess",),
    "playing cricket": ("sports22/cricket",),
    "fencing": ("sports22/fencing",),
    "playing football": ("sports22/football",),
    "racing a car": ("sports22/formula1",),
    "doing gymnastics": ("sports22/gymnastics",),
    "playing field hockey": ("sports22/hockey",),
    "playing ice hockey": ("sports22/ice_hockey",),
    "playing kabaddi": ("sports22/kabaddi",),
    "racing a motorcycle": ("sports22/motogp",),
    "shooting a gun": ("sports22/shooting",),
    "swimming": ("sports22/swimming",),
    "playing table tennis": ("sports22/table_tennis",),
    "playing tennis": ("sports22/tennis",),
    "playing volleyball": ("sports22/volleyball",),
    "lifting weights": ("sports22/weight_lifting",),
    "wrestling": ("sports22/wrestling",),
    "show wrestling": ("sports22/wwe",),
    "shaking hands": ("ut_interaction/handshake",),
    "kicking": ("ut_interaction/kick",),
    "pointing": ("ut_interaction/point",),
    "pushing": ("ut_interaction/push",),
    "bending down": ("weizmann/bend",),
    "doing jumping jacks": ("weizmann/jack",),
    "jumping": ("weizmann/jump", "weizmann/pjump"),
    "stepping sideways": ("weizmann/side",),
    "skipping": ("weizmann/skip",),
    "walking": ("weizmann/walk",),
    "waving": ("weizmann/wave1", "weizmann/wave2"),
}
LABELS = tuple(SAME)
OF_CLASS = {source: label for label, sources in SAME.items() for source in sources}
SOMETHING_ELSE = ("fight/normal", "ut_interaction/background")

# What captions say of an action. Poses and manners that are seldom worth a word are left out.
SAID: dict[str, str] = {
    "talking on the phone": r"\b(on|over|using|answer\w*) (the|a|his|her|their) (cell ?)?phone",
    "clapping": r"\b(clap\w*|applau\w*)",
    "riding a bike": r"\b(bicycl\w*|bik(e|es|ing)|cycling)\b",
    "dancing": r"\bdanc\w*",
    "drinking": r"\b(drink(s|ing)|sip(s|ping))\b",
    "eating": r"\beat(s|ing)?\b",
    "fighting": r"\b(fight\w*|punch\w*)",
    "hugging": r"\b(hug(s|ging)?|embrac\w+)\b",
    "laughing": r"\blaugh\w*",
    "running": r"\b(run(s|ning)?|jog\w*)\b",
    "sleeping": r"\b(sleep\w*|asleep)\b",
    "using a laptop": r"\blaptop",
    "playing badminton": r"badminton",
    "playing baseball": r"baseball",
    "playing basketball": r"basketball",
    "boxing": r"\bbox(ing|er|ers)\b",
    "playing cricket": r"\bcricket\b",
    "playing football": r"\bsoccer\b",
    "racing a car": r"\b(rac(e|es|ing) cars?|cars? (is |are )?rac(e|es|ing)|formula)\b",
    "doing gymnastics": r"gymnast",
    "playing ice hockey": r"hockey",
    "racing a motorcycle": r"motor(cycle|bike)",
    "shooting a gun": r"\b(gun|guns|rifle|pistol)\b",
    "swimming": r"\b(swim(s|ming)?)\b",
    "playing table tennis": r"(table tennis|ping ?pong)",
    "playing tennis": r"(?<!table )\btennis\b",
    "playing volleyball": r"volleyball",
    "lifting weights": r"(weight ?lift|lift\w* weight|barbell)",
    "wrestling": r"\bwrestl",
    "shaking hands": r"shak\w+ hands",
    "jumping": r"\bjump",
    "walking": r"\bwalk(s|ing)?\b",
    "waving": r"\bwav(es|ing)\b",
}
CAPTIONS_THAT_SAY = 6
# Beside these: words of actions for which no rule above is sure enough.
NEARLY_SAID = (
    r"\b(sit(s|ting)?|text(s|ing)|phone|chess|fenc\w+|kick\w*|push\w*|point(s|ing)|bend\w*|skip\w*"
    r"|hand|hands|sport\w*|game|ball|team|match|player\w*|race\w*|racing|laptop|computer|listen\w*"
    r"|football|martial|attack\w*|hit(s|ting)?|exercis\w*|ride|riding|athlet\w*)\b"
)
_SAID = {label: re.compile(rule) for label, rule in SAID.items()}
_NEARLY = re.compile(NEARLY_SAID)


def action_said(captions: Sequence[str]) -> str | None:
    """The label that most captions name, where enough do."""
    texts = [caption.lower() for caption in captions]
    counts = {label: sum(bool(r.search(text)) for text in texts) for label, r in _SAID.items()}
    best = max(counts, key=lambda label: counts[label])
    return best if counts[best] >= CAPTIONS_THAT_SAY else None


def says_no_action(captions: Sequence[str]) -> bool:
    """Whether nothing in the captions comes near any label."""
    text = " . ".join(captions).lower()
    return not _NEARLY.search(text) and not any(rule.search(text) for rule in _SAID.values())
