"""Two methods side by side: how far they agree on what matters."""

from app.results import Compared, ModelUsed, ScoredFrame
from models.ranks import kendall_tau_b
from models.selection import spread
from models.types import Floats, Times

# Every pair of frames is compared: as many as this tell tau to within a hundredth.
MOST_FRAMES = 2000
AGREEMENTS = (
    (0.5, "agree strongly"),
    (0.3, "agree in part"),
    (0.1, "agree little"),
    (-0.1, "do not agree: knowing one says nothing of the other"),
    (-1.0, "disagree: where one is high the other tends to be low"),
)


def compared_with(
    method: str, model: ModelUsed, scores: Floats, times_s: Times, own: Floats
) -> Compared:
    some = spread(len(own), MOST_FRAMES)
    return Compared(
        method=method,
        model=model,
        frames=tuple(ScoredFrame(float(t), float(s)) for t, s in zip(times_s, scores, strict=True)),
        tau=kendall_tau_b(own[some], scores[some]),
    )


def agreement(tau: float) -> str:
    """What a rank correlation means."""
    return next(words for least, words in AGREEMENTS if tau >= least or least == -1.0)
