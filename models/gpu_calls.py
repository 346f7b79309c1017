"""A GPU that is lent for one call at a time, as ZeroGPU Spaces do it; elsewhere a call is a call.

There the work runs in a forked process. It has what this process had when it was forked, which may
have been before a model was loaded, and nothing of it comes back but a value. So a call is told in
plain values: what the model was made of, the method, its arguments. Who wants to stop is heard
between two calls, and calls are short: longer ones are cut, and everybody may ask for them.

The shipped models need none of this: they run on the CPU.
"""

import functools
import inspect
import math
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar
from weakref import WeakValueDictionary

import numpy as np

from models.device import has_lent_gpu, lends_gpu, take_lent_gpu
from models.errors import CancelledError, ModelUnavailableError, UserFacingError

# What visitors without an account may ask for at once, whatever is left of their two minutes a day.
LONGEST_S = 60.0
# Rows that could be given all at once are given in calls of about this length: each call that
# comes back is something to show, and short ones wait less for a GPU.
SHORT_S = 15.0
_LONGEST_REASON = 200

Method = TypeVar("Method", bound=Callable[..., Any])
Made = tuple[type, tuple[Any, ...], tuple[tuple[str, Any], ...]]

# Set once, before the page is launched; None where no GPU is lent.
_lent: Callable[..., tuple[bool, Any]] | None = None
_living: "WeakValueDictionary[Made, LentModel]" = WeakValueDictionary()
_made_here: "dict[Made, LentModel]" = {}


class LentModel:
    """A model whose methods marked `on_gpu` may run in another process.

    It is made from paths, names and numbers, so that it can be made again there.
    """

    made_of: Made

    def __new__(cls, *args: Any, **options: Any) -> Self:
        model = super().__new__(cls)
        model.made_of = (cls, args, tuple(sorted(options.items())))
        return model


def prepare() -> None:
    """Before torch is imported and before the page is launched: a ZeroGPU Space asks for both.

    Its library takes torch over, and ends a Space that has no function for its GPU by then.
    """
    global _lent
    if lends_gpu() and _lent is None:
        import spaces

        _lent = spaces.GPU(duration=_seconds)(_work)


def on_gpu(
    start_s: float, each_s: float = 0.0, rows: str | None = None
) -> Callable[[Method], Method]:
    """Marks a method of a LentModel that computes on the GPU.

    Args:
        start_s: How long a call takes at most, whatever it is given.
        each_s: How much longer for each row.
        rows: The argument whose rows do not depend on each other; the result has one for each,
            in a list or an array.
    """

    def mark(method: Method) -> Method:
        signature = inspect.signature(method)

        @functools.wraps(method)
        def call(model: LentModel, *args: Any, **options: Any) -> Any:
            if _lent is None or has_lent_gpu():
                return method(model, *args, **options)
            given = dict(signature.bind(model, *args, **options).arguments)
            given.pop("self")
            stop = given.pop("stop", None)
            if rows is None:
                return _borrowed(model, method.__name__, given, start_s, stop)
            if not len(given[rows]):
                return method(model, *args, **options)
            parts = [
                _borrowed(
                    model,
                    method.__name__,
                    {**given, rows: given[rows][part]},
                    start_s + each_s * (part.stop - part.start),
                    stop,
                )
                for part in _parts(len(given[rows]), start_s, each_s)
            ]
            return _joined(parts)

        return call  # type: ignore[return-value]

    return mark


def _parts(count: int, start_s: float, each_s: float) -> Iterator[slice]:
    at_once = max(1, int((SHORT_S - start_s) / each_s)) if each_s > 0 else count
    for start in range(0, count, at_once):
        yield slice(start, min(count, start + at_once))


def _joined(parts: list[Any]) -> Any:
    if isinstance(parts[0], list):
        return [row for part in parts for row in part]
    return np.concatenate(parts)


def _borrowed(
    model: LentModel,
    method: str,
    given: dict[str, Any],
    seconds: float,
    stop: Callable[[], bool] | None,
) -> Any:
    """One call in a process that is lent the GPU.

    Raises:
        ModelUnavailableError: no GPU could be had, in the words of who lends it.
        CancelledError: `stop` turned true meanwhile.
    """
    assert _lent is not None
    _check(stop)
    _living[model.made_of] = model
    try:
        done, value = _lent(seconds, model.made_of, method, given)
    except Exception as error:
        name = getattr(model, "name", "This model")
        raise ModelUnavailableError(
            f"{name} needs a GPU and was lent none ({_reason(error)}); try again later, or choose "
            "a model that comes with the program."
        ) from error
    _check(stop)
    if done:
        return value
    raise value


def _check(stop: Callable[[], bool] | None) -> None:
    if stop is not None and stop():
        raise CancelledError("stopped on request")


def _reason(error: Exception) -> str:
    """What its library tells people, in a line."""
    said = " ".join(str(getattr(error, "message", error)).split())
    return said[:_LONGEST_REASON].rstrip(" .") or type(error).__name__


def _seconds(seconds: float, *_: Any) -> int:
    return math.ceil(min(max(seconds, 1.0), LONGEST_S))


def _work(_seconds: float, made: Made, method: str, given: dict[str, Any]) -> tuple[bool, Any]:
    """In the other process: the value, or what was raised, of which its library keeps no words."""
    take_lent_gpu()
    try:
        _one_thread()
        return True, getattr(_model(made), method)(**given)
    except (UserFacingError, CancelledError, ValueError) as error:
        return False, error
    except Exception:  # noqa: BLE001 - raised again where it can be logged
        return False, RuntimeError(traceback.format_exc())


def _model(made: Made) -> LentModel:
    """The one this process was forked with, or made here once if it came later."""
    model = _made_here.get(made) or _living.get(made)
    if model is None:
        kind, args, options = made
        model = kind(*args, **dict(options))
    _made_here[made] = model
    return model


def _one_thread() -> None:
    """The threads of the pools that torch had before are not in a forked process: it would wait."""
    import torch

    torch.set_num_threads(1)
