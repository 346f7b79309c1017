"""Layers of small networks that run in numpy, from arrays by their names in the checkpoint."""

from collections.abc import Mapping

import numpy as np

from models.types import Floats

NORM_EPSILON = 1e-5
# Abramowitz and Stegun, 7.1.26: the error function within 1.5e-7.
ERF_SCALE = 0.3275911
ERF_TERMS = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)

Arrays = Mapping[str, Floats]


def linear(arrays: Arrays, name: str, x: Floats) -> Floats:
    return np.asarray(x @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"], np.float32)


def layer_norm(arrays: Arrays, name: str, x: Floats) -> Floats:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + NORM_EPSILON)
    return np.asarray(scaled * arrays[f"{name}.weight"] + arrays[f"{name}.bias"], np.float32)


def unit_rows(rows: Floats) -> Floats:
    """Each row of length one."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-6), np.float32)


def erf_gelu(x: Floats) -> Floats:
    """The exact form, x times the normal distribution's share below x."""
    size = np.abs(x) * np.float32(2**-0.5)
    near = 1 / (1 + np.float32(ERF_SCALE) * size)
    terms = np.zeros_like(near)
    for factor in ERF_TERMS:
        terms = (terms + np.float32(factor)) * near
    tail = terms * np.exp(-(size**2)) / 2  # beyond |x|, on one side
    return np.asarray(x * np.where(x > 0, 1 - tail, tail), np.float32)
