import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.learn.training.doubt.interval import (
    Widths,
    cells,
    covered,
    known_width,
    logit,
    novel_width,
    sigmoid,
)


@given(st.floats(-20, 20), st.floats(0, 1), st.floats(0.05, 2), st.floats(0, 3))
def test_an_interval_holds_its_probability_and_widens_with_novelty(
    log_odds: float, novelty: float, known: float, more: float
) -> None:
    widths = Widths(known, known + more)
    odds = np.array([log_odds, log_odds])

    low, high = widths.bounds(odds, np.array([novelty, 1.0]))

    assert (low <= sigmoid(odds)).all()
    assert (sigmoid(odds) <= high).all()
    assert low[1] <= low[0] <= high[0] <= high[1]
    assert ((low >= 0.0) & (high <= 1.0)).all()


def test_the_half_width_covers_the_rows_that_it_is_meant_to() -> None:
    draw = np.random.default_rng(0)
    p = draw.uniform(0.1, 0.9, 4000)
    labels = (draw.random(4000) < sigmoid(logit(p) + 0.5)).astype(float)
    sources = np.where(np.arange(4000) < 2000, "a", "b")
    found = cells(labels, p, sources)

    width = known_width(found)

    low, high = Widths(width, width).bounds(logit(p), np.zeros(4000))
    assert covered(found, low, high) >= 0.8  # the mean of bounds is not the bound of the mean
    assert covered(found, p, p) < 0.2
    assert width == pytest.approx(0.5, abs=0.5)


def test_bins_hold_rows_of_one_source_only() -> None:
    sources = np.array(["a"] * 30 + ["b"] * 50)

    for cell in cells(np.ones(80), np.linspace(0.1, 0.9, 80), sources):
        assert len(set(sources[cell.index])) == 1


def test_what_was_never_left_out_is_taken_to_be_far_off() -> None:
    assert novel_width(0.3, []) >= 2.0
    assert novel_width(5.0, []) == 5.0
