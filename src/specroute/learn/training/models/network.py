"""A network of one hidden layer with many outputs, some unknown for a row: plain numpy, so that a seed gives its bytes.

One output is learnt for each model whose answers were graded. Whether a prompt is hard for one says something about
whether it is for another, so all share the hidden layer (Caruana, "Multitask learning", 1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

HIDDEN = 40  # with the directions of the density, a row of the table is one cache line
EPOCHS = 15
_LEAST_STEPS = 150
DROPOUT = 0.3
_BATCH = 512
_RATE, _DECAY = 2e-3, 1e-2
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
_WARM_UP = 0.3  # the share of steps over which the rate rises


@dataclass(frozen=True, slots=True)
class Network:
    """``relu(x @ inner + inner_bias) @ outer + outer_bias``.

    float32[inputs, hidden], [hidden], [hidden, out] and [out].
    """

    inner: Floats
    inner_bias: Floats
    outer: Floats
    outer_bias: Floats

    def outputs(self, x: Floats) -> NDArray[np.float64]:
        """Returns float64[rows, out]."""
        hidden = np.maximum(x @ self.inner + self.inner_bias, 0.0)
        return np.asarray(hidden @ self.outer + self.outer_bias, dtype=np.float64)

    def take(self, outputs: int) -> Network:
        """Returns the network of the first ``outputs`` outputs."""
        return Network(self.inner, self.inner_bias, self.outer[:, :outputs], self.outer_bias[:outputs])


@dataclass(frozen=True, slots=True)
class Targets:
    """What the outputs should be.

    Attributes:
        values: float32[rows, out]; a chance in [0, 1], or any number where ``is_number``; NaN: unknown.
        weights: float32[out].
        is_number: bool[out]: learnt by squared error, else by log-loss.
    """

    values: Floats
    weights: Floats
    is_number: NDArray[np.bool_]


def fit_network(x: Floats, targets: Targets, seed: int, hidden: int = HIDDEN) -> Network:
    """Trains by Adam with decoupled decay, dropout, and a rate that rises and falls once; deterministic."""
    draw = np.random.default_rng(seed)
    known = ~np.isnan(targets.values)
    weights = known * targets.weights
    values = np.nan_to_num(targets.values)
    parameters = _initial(x.shape[1], hidden, values.shape[1], draw)
    moments = [(np.zeros_like(item), np.zeros_like(item)) for item in parameters]
    batches = max(1, -(-x.shape[0] // _BATCH))
    steps = max(EPOCHS * batches, _LEAST_STEPS)
    for step in range(steps):
        if step % batches == 0:
            order = draw.permutation(x.shape[0])
        rows = order[(step % batches) * _BATCH :][:_BATCH]
        gradients = _gradients(parameters, x[rows], values[rows], weights[rows], targets.is_number, draw)
        rate = _RATE * _schedule(step / steps)
        for item, gradient, (first, second) in zip(parameters, gradients, moments, strict=True):
            first += (1.0 - _BETA1) * (gradient - first)
            second += (1.0 - _BETA2) * (gradient**2 - second)
            corrected = first / (1.0 - _BETA1 ** (step + 1))
            scale = np.sqrt(second / (1.0 - _BETA2 ** (step + 1))) + _EPSILON
            item -= np.float32(rate) * (corrected / scale + np.float32(_DECAY) * item)
    return Network(*parameters)


def _initial(inputs: int, hidden: int, outputs: int, draw: np.random.Generator) -> list[Floats]:
    shapes = ((inputs, hidden), (hidden,), (hidden, outputs), (outputs,))
    scales = (inputs**-0.5, inputs**-0.5, hidden**-0.5, hidden**-0.5)
    return [draw.uniform(-scale, scale, shape).astype(np.float32) for shape, scale in zip(shapes, scales, strict=True)]


def _gradients(
    parameters: list[Floats],
    x: Floats,
    values: Floats,
    weights: Floats,
    is_number: NDArray[np.bool_],
    draw: np.random.Generator,
) -> list[Floats]:
    inner, inner_bias, outer, outer_bias = parameters
    x = x * _kept(x.shape, draw)
    before = x @ inner + inner_bias
    kept = _kept(before.shape, draw) * (before > 0.0)
    hidden = before * kept
    out = hidden @ outer + outer_bias
    predicted = np.where(is_number, out, 0.5 * (1.0 + np.tanh(0.5 * out)))
    error = (weights * (predicted - values) / np.float32(x.shape[0])).astype(np.float32)
    back = (error @ outer.T) * kept
    return [x.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0)]


def _kept(shape: tuple[int, ...], draw: np.random.Generator) -> Floats:
    kept = draw.random(shape, dtype=np.float32) >= DROPOUT
    return kept.astype(np.float32) / np.float32(1.0 - DROPOUT)


def _schedule(done: float) -> float:
    """Returns the share of the full rate after the share ``done`` of the steps: a rise, then half a cosine down."""
    if done < _WARM_UP:
        return 0.04 + 0.96 * 0.5 * (1.0 - float(np.cos(np.pi * done / _WARM_UP)))
    return 0.5 * (1.0 + float(np.cos(np.pi * (done - _WARM_UP) / (1.0 - _WARM_UP))))
