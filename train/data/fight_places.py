"""Which fight clips were cut from one recording, or show one place. Read off by eye.

The files carry numbers only. Their middle frames were laid side by side, and the result was checked
by the backbone: the most alike clips of different places have two frames at a cosine of .87; before
three were corrected that it had found, .97. Clips that are not listed are places of their own. The
gaps in the numbers are clips that are kept elsewhere.
"""

Numbers = tuple[int, ...]


def _to(first: int, last: int) -> Numbers:
    return tuple(range(first, last + 1))


# Numbers of fight/fiNNN and of normal/nofiNNN.
PLACES: tuple[tuple[Numbers, Numbers], ...] = (
    ((2,), (2,)),
    ((3, 4), ()),
    (_to(5, 12), ()),
    ((13, 14), (18,)),
    ((15, 16, 17), (16, 17)),
    ((18,), (43, 44)),
    (_to(19, 25), _to(45, 48)),
    (_to(26, 30), _to(57, 60)),
    (_to(31, 41), _to(29, 33)),  # several cameras of one house
    ((44, 45), (22,)),
    (_to(46, 47) + (49, 50), (23,)),
    ((48,), (25,)),
    (_to(51, 55), _to(39, 42)),
    (_to(56, 58), (38,)),
    (_to(59, 64), (148,)),
    (_to(65, 67), (97, 98)),
    ((69, 70), ()),
    ((73, 74), (147,)),
    ((75, 76), ()),
    ((77, 90, 91, 92), ()),
    (_to(78, 81), ()),
    ((82, 83), (5,)),
    ((84,), (6,)),
    (_to(86, 88), (7, 8)),
    ((89,), (9,)),
    ((93, 94), (12, 13)),
    ((97, 98), (14, 15)),
    (_to(99, 101), (19, 20)),
    (_to(102, 104), ()),
    (_to(105, 108), (26, 27)),
    ((109,), (28,)),
    ((111, 112), (35, 36)),
    ((114,), (49,)),
    (_to(115, 121), _to(50, 52)),
    ((122, 123), (55,)),
    (_to(124, 127), (92,)),
    (_to(128, 130), (93, 94, 95)),
    ((131, 132), (54, 99)),
    (_to(133, 136), (102, 104)),
    (_to(137, 139), (105,)),
    ((140, 141), (106, 107)),
    ((142, 143), (108,)),
    ((146, 147), ()),
    ((148,), (126,)),
    ((149,), (146,)),
    ((), _to(62, 68)),
    ((), _to(69, 76)),
    ((), _to(77, 83)),
    ((), _to(84, 86)),
    ((), (89, 90)),
    ((), (100, 101)),
    ((), (143, 144)),
)


def place_of(name: str) -> str:
    """`name` is fight/fiNNN or normal/nofiNNN; clips of one place have the same answer."""
    fights = name.startswith("fight/")
    number = int(name[-3:])
    for index, (fight_numbers, normal_numbers) in enumerate(PLACES):
        if number in (fight_numbers if fights else normal_numbers):
            return f"place{index:02d}"
    return name
