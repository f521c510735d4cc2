"""Which cuts a certificate covers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from specroute.learn.play import ALWAYS_LARGE, NEVER_DIRECT_LARGE, NEVER_DIRECT_MINI, Cuts
from specroute.tuning.certifying import certified
from specroute.tuning.findings import Setting
from specroute.tuning.flights.effects import Ruler
from specroute.tuning.flights.policies import ALWAYS_LARGE_SETTING, played
from specroute.tuning.splits import split
from specroute.tuning.targets import Targets
from tests.tuning.made_rows import half_known, world_of

if TYPE_CHECKING:
    from specroute.learn.scoring import ScoredRows

STRICT = Cuts(NEVER_DIRECT_MINI, 0.93, 0.89)
LAX = Cuts(0.1, NEVER_DIRECT_LARGE, 0.0)


def verified(count: int) -> ScoredRows:
    """Rows that p and a verifier tell apart."""
    rows = half_known(count)
    chance = np.random.default_rng(9).uniform(0.0, 0.4, count)
    return replace(rows, verifier_p=np.where(rows.mini_ok > 0.0, 0.5 + chance, chance))


@pytest.mark.parametrize(("cuts", "covers"), [(STRICT, True), (LAX, False), (ALWAYS_LARGE, True)])
def test_cuts_that_are_stricter_than_the_certified_ones_are_covered(cuts: Cuts, *, covers: bool) -> None:
    tuning, held_out = split(verified(1200), seed=1)
    world, targets = world_of(held_out), Targets(max_quality_loss=0.05)
    ruler = Ruler.of(world, targets, played(world, ALWAYS_LARGE_SETTING).mixture, seed=0)

    made = certified(tuning, world, ruler, Setting(cuts, 0.5), files={"model.onnx": "0" * 64}, seed=0)

    assert made is not None
    assert made.certificate.method == "binomial"
    assert made.covers_recommended == covers
    assert made.note.startswith("The recommended cuts are certified") == covers


def test_a_loss_of_nothing_cannot_be_certified() -> None:
    world, targets = world_of(half_known(100)), Targets(max_quality_loss=0.0)
    ruler = Ruler.of(world, targets, played(world, ALWAYS_LARGE_SETTING).mixture, seed=0)

    assert certified(half_known(100), world, ruler, Setting(STRICT, None), files={}, seed=0) is None
