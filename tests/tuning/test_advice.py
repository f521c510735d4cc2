"""The answer, and when it is not to route."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.play import Cuts
from specroute.tuning.advice import Evidence, advise
from specroute.tuning.findings import Answer, Optimum, Setting, ShuffleControl
from specroute.tuning.targets import Mode, Targets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

KNOWS = (0.2, 0.3, 0.3, 0.2)
OPTIMUM = Optimum(Setting(Cuts(0.9, 0.3, 0.5), None), {}, True, {}, 10)
CONTROL = ShuffleControl(2000, 0.80, 0.82, 0.001)


def around(value: float, spread: float) -> NDArray[np.float64]:
    """A value, and resamples evenly spread about it."""
    return np.concatenate([[value], np.linspace(value - spread, value + spread, 101)])


def values(**changes: tuple[float, float]) -> Mapping[str, NDArray[np.float64]]:
    """Figures of a policy that are worth routing by; ``changes``: name -> value and half the width of its interval."""
    usual = {
        "quality": (0.9, 0.01),
        "retention": (0.99, 0.005),
        "cost_usd": (4e-4, 1e-5),
        "objective_usd": (4e-4, 1e-5),
        "saved_ratio": (0.6, 0.01),
        "mean_s": (0.8, 0.01),
        "p50_ratio": (0.6, 0.02),
        "p99_ratio": (0.9, 0.02),
    }
    return {name: around(*pair) for name, pair in (usual | changes).items()}


LARGE = values(
    quality=(0.91, 0.0), retention=(1.0, 0.0), cost_usd=(1e-3, 0.0), objective_usd=(1e-3, 0.0), mean_s=(1.2, 0.0)
)
MINI = values(quality=(0.8, 0.01), retention=(0.88, 0.01), cost_usd=(1e-4, 0.0), objective_usd=(1e-4, 0.0))


def evidence(
    recommended: Mapping[str, NDArray[np.float64]] | None = None,
    *,
    mini: Mapping[str, NDArray[np.float64]] = MINI,
    targets: Targets | None = None,
    optimum: Optimum = OPTIMUM,
    control: ShuffleControl = CONTROL,
    shares: tuple[float, ...] = KNOWS,
    shuffled: float = 0.9,
) -> Evidence:
    policies = {
        "recommended": values() if recommended is None else recommended,
        "always_mini": mini,
        "always_large": LARGE,
        "cost_matched_shuffle": values(retention=(shuffled, 0.01)),
    }
    return Evidence(targets or Targets(), optimum, policies, shares, control)


def test_what_saves_and_keeps_and_knows_is_recommended() -> None:
    advice = advise(evidence())

    assert advice.answer is Answer.ROUTE
    assert advice.reasons[0].startswith("It saves 60.0 % (59.1 to 60.9) of always-large's money, waste included")


def test_what_is_not_proven_is_said() -> None:
    reasons = advise(evidence(values(retention=(0.985, 0.01)))).reasons

    assert "That does not prove 98 % of the quality; a certificate would." in reasons


def test_a_saving_that_could_be_noise_is_not_recommended() -> None:
    advice = advise(evidence(values(objective_usd=(9.5e-4, 1e-4))))

    assert advice.answer is Answer.ALWAYS_LARGE
    assert "saving of 5.0 %" in advice.reasons[0]
    assert "not beyond noise" in advice.reasons[0]


def test_a_quality_that_is_shown_to_be_too_low_is_not_recommended() -> None:
    advice = advise(evidence(values(retention=(0.95, 0.01))))

    assert advice.answer is Answer.ALWAYS_LARGE
    assert "below 98 %" in advice.reasons[0]


def test_a_tail_that_is_shown_to_be_too_long_is_not_recommended() -> None:
    advice = advise(evidence(values(p99_ratio=(1.1, 0.05)), targets=Targets(mode=Mode.INTERACTIVE)))

    assert advice.answer is Answer.ALWAYS_LARGE
    assert "99th percentile is 1.10 x (1.05 to 1.15) of always-large's, over 0.95" in advice.reasons[0]


def test_decisions_that_chance_makes_as_well_are_called_noise() -> None:
    control = ShuffleControl(2000, 0.88, 0.92, 0.4)

    advice = advise(evidence(control=control, shuffled=0.99))

    assert advice.answer is Answer.ALWAYS_LARGE
    assert "dealt out at random at the same cost (p = 0.4): that is noise." in advice.reasons[0]


def test_a_mini_that_keeps_the_quality_is_the_answer_where_nothing_beats_it() -> None:
    good = values(retention=(0.995, 0.005), quality=(0.905, 0.005), objective_usd=(1e-4, 0.0), cost_usd=(1e-4, 0.0))

    assert advise(evidence(mini=good)).answer is Answer.ALWAYS_MINI
    assert advise(evidence(values(objective_usd=(5e-5, 1e-6)), mini=good)).answer is Answer.ROUTE


def test_swapped_tiers_are_named_also_where_the_mini_is_the_dearer_one() -> None:
    better = {"quality": (0.97, 0.005), "retention": (1.06, 0.005), "mean_s": (0.7, 0.01)}
    cheap = advise(evidence(mini=values(**better, cost_usd=(1e-4, 0.0), objective_usd=(1e-4, 0.0))))
    dear = advise(evidence(mini=values(**better, cost_usd=(2e-3, 0.0), objective_usd=(2e-3, 0.0)), shares=(0, 1, 0, 0)))

    assert cheap.answer is Answer.ALWAYS_MINI
    assert cheap.reasons[0] == (
        "The tiers look swapped: mini is right in 97 % and large in 91 %, and mini is faster: 0.7 s against 1.2 s on "
        "average."
    )
    assert dear.answer is Answer.ALWAYS_LARGE
    assert dear.reasons[-1].endswith("but dearer; name the cheaper tier first, and let it be the weaker.")


def test_targets_that_were_missed_are_the_reason() -> None:
    missed = Optimum(OPTIMUM.setting, {}, False, {"p99_ratio": "no policy has it: the best has 1.12"}, 10)

    advice = advise(evidence(optimum=missed, targets=Targets(mode=Mode.INTERACTIVE)))

    assert advice.answer is Answer.ALWAYS_LARGE
    assert advice.reasons == ("No policy has it: the best has 1.12.",)


def test_what_is_slower_is_said() -> None:
    reasons = advise(evidence(values(p50_ratio=(1.9, 0.1), p99_ratio=(2.6, 0.2)))).reasons

    assert "It is slower there: its median of the latency is 1.90 x (1.80 to 2.00) of always-large's." in reasons
    assert any("99th percentile of the latency is 2.60 x" in reason for reason in reasons)
