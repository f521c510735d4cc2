"""The answer: route, or do not, and why; nothing is recommended that could be noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.metrics import CONFIDENCE
from specroute.tuning.findings import Advice, Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from specroute.tuning.findings import Optimum, ShuffleControl
    from specroute.tuning.flights.effects import Values
    from specroute.tuning.targets import Targets

    Floats = NDArray[np.float64]

MAX_P_VALUE = 0.05
_SLOWER = (("p50", "median"), ("p99", "99th percentile"))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the answer is read from; every figure has the same resamples of the held-out rows.

    Attributes:
        targets: as asked.
        optimum: on the tuning rows.
        values: policy -> figure -> float64[1 + resamples].
        shares: of the held-out rows that have each ``Fate`` under the recommended setting.
        control: the recommended setting's decisions dealt out at random.
    """

    targets: Targets
    optimum: Optimum
    values: Mapping[str, Values]
    shares: tuple[float, ...]
    control: ShuffleControl

    def of(self, policy: str, figure: str) -> Floats:
        """Returns float64[1 + resamples]."""
        return self.values[policy][figure]

    @property
    def needed(self) -> float:
        """The retention that is asked for."""
        return 1.0 - self.targets.max_quality_loss

    @property
    def is_all_mini(self) -> bool:
        """Whether the recommended setting asks the mini alone of every row."""
        return self.shares[0] == 1.0

    @property
    def is_all_large(self) -> bool:
        """Whether it asks the large model alone of every row."""
        return self.shares[1] == 1.0

    @property
    def knows(self) -> bool:
        """Whether it treats rows differently, by what it knows of them."""
        return max(self.shares) < 1.0


def advise(evidence: Evidence) -> Advice:
    """Returns the answer and its reasons, a sentence each, the weightiest first."""
    if _mini_is_the_answer(evidence):
        return Advice(Answer.ALWAYS_MINI, _about_mini(evidence))
    swapped = _swapped(evidence)
    if not evidence.optimum.feasible:
        return Advice(Answer.ALWAYS_LARGE, (*map(_sentence, evidence.optimum.missed.values()), *swapped))
    if evidence.is_all_large:
        reason = "No setting that keeps the targets on the tuning rows saves anything over the large model alone."
        return Advice(Answer.ALWAYS_LARGE, (reason, *swapped))
    if doubts := _doubts(evidence):
        return Advice(Answer.ALWAYS_LARGE, (*doubts, *swapped))
    if evidence.is_all_mini:
        return Advice(Answer.ALWAYS_MINI, _about_mini(evidence))
    return Advice(Answer.ROUTE, (*_gains(evidence), *_what_is_lost(evidence), *swapped))


def _mini_is_the_answer(evidence: Evidence) -> bool:
    """Whether the mini alone keeps the targets and is worth more than large, and nothing beats it."""
    retention, tail = evidence.of("always_mini", "retention"), evidence.of("always_mini", "p99_ratio")
    bound = evidence.targets.p99_bound
    if _interval(retention)[0] < evidence.needed or (bound is not None and _interval(tail)[0] > bound):
        return False
    mini = evidence.of("always_mini", "objective_usd")
    if _interval(evidence.of("always_large", "objective_usd") - mini)[0] <= 0.0:
        return False
    if evidence.is_all_mini or not evidence.optimum.feasible:
        return True
    return _interval(mini - evidence.of("recommended", "objective_usd"))[0] <= 0.0


def _doubts(evidence: Evidence) -> tuple[str, ...]:
    """Returns why the recommended setting could be noise or break a target; empty: it stands."""
    doubts = []
    own = evidence.values["recommended"]
    saved = evidence.of("always_large", "objective_usd") - own["objective_usd"]
    if _interval(saved)[0] <= 0.0:
        what = "gain in money and time" if evidence.targets.latency_value_usd_per_s else "saving"
        share = saved / evidence.of("always_large", "objective_usd")
        doubts.append(f"The best setting's {what} of {_percent(share)} on the held-out rows is not beyond noise.")
    if _interval(own["retention"])[1] < evidence.needed:
        kept = f"{_percent(own['retention'])} of the large model's quality"
        doubts.append(f"On the held-out rows the best setting keeps {kept}, below {100.0 * evidence.needed:.4g} %.")
    bound = evidence.targets.p99_bound
    if bound is not None and _interval(own["p99_ratio"])[0] > bound:
        tail = f"{_times(own['p99_ratio'])} of always-large's"
        doubts.append(f"On the held-out rows the best setting's 99th percentile is {tail}, over {bound:g}.")
    if evidence.knows and not _beats_shuffle(evidence):
        doubts.append(
            "The best setting's decisions are not shown to be better than the same ones dealt out at random at the "
            f"same cost (p = {evidence.control.p_value:.2g}): that is noise."
        )
    return tuple(doubts)


def _beats_shuffle(evidence: Evidence) -> bool:
    gained = evidence.of("recommended", "retention") - evidence.of("cost_matched_shuffle", "retention")
    return evidence.control.p_value <= MAX_P_VALUE or _interval(gained)[0] > 0.0


def _gains(evidence: Evidence) -> tuple[str, ...]:
    own = evidence.values["recommended"]
    gain = f"It saves {_percent(own['saved_ratio'])} of always-large's money, waste included"
    reasons = [
        f"{gain}, and keeps {_percent(own['retention'])} of its quality, on held-out rows.",
    ]
    if evidence.knows:
        shuffle = f"(p = {evidence.control.p_value:.2g})"
        reasons.append(f"The same decisions dealt out at random at the same cost keep less {shuffle}.")
    if _interval(own["retention"])[0] < evidence.needed:
        reasons.append(f"That does not prove {100.0 * evidence.needed:.4g} % of the quality; a certificate would.")
    return tuple(reasons)


def _what_is_lost(evidence: Evidence) -> tuple[str, ...]:
    """Returns where the setting is slower than the large model alone, and where it is faster."""
    own, said = evidence.values["recommended"], []
    for name, words in _SLOWER:
        ratio = own[f"{name}_ratio"]
        lo, hi = _interval(ratio)
        if lo > 1.0:
            said.append(f"It is slower there: its {words} of the latency is {_times(ratio)} of always-large's.")
        elif hi < 1.0:
            said.append(f"It is faster there: its {words} of the latency is {_times(ratio)} of always-large's.")
    return tuple(said)


def _about_mini(evidence: Evidence) -> tuple[str, ...]:
    own = evidence.values["always_mini"]
    saved = f"The mini alone saves {_percent(own['saved_ratio'])} of always-large's money"
    kept = f"keeps {_percent(own['retention'])} of its quality, on held-out rows."
    doubt = (
        ()
        if _interval(own["retention"])[0] >= evidence.needed
        else (f"That does not prove {100.0 * evidence.needed:.4g} % of the quality.",)
    )
    return (*_swapped(evidence), f"{saved} and {kept}", *doubt)


def _swapped(evidence: Evidence) -> tuple[str, ...]:
    """Returns the sentence that says that the mini is the better model, where that is shown."""
    mini, large = evidence.values["always_mini"], evidence.values["always_large"]
    if _interval(mini["quality"] - large["quality"])[0] <= 0.0:
        return ()
    right = [100.0 * each["quality"][0] for each in (mini, large)]
    said = f"mini is right in {right[0]:.0f} % and large in {right[1]:.0f} %"
    if _interval(large["mean_s"] - mini["mean_s"])[0] > 0.0:
        said += f", and mini is faster: {mini['mean_s'][0]:.2g} s against {large['mean_s'][0]:.2g} s on average"
    if _interval(mini["cost_usd"] - large["cost_usd"])[0] > 0.0:
        said += ", but dearer; name the cheaper tier first, and let it be the weaker"
    return (f"The tiers look swapped: {said}.",)


def _interval(values: Floats) -> tuple[float, float]:
    """Returns the middle 95 % of the resamples."""
    tail = 50.0 * (1.0 - CONFIDENCE)
    lo, hi = np.nanpercentile(values[1:], [tail, 100.0 - tail])
    return float(lo), float(hi)


def _percent(values: Floats) -> str:
    lo, hi = _interval(values)
    return f"{100.0 * values[0]:.1f} % ({100.0 * lo:.1f} to {100.0 * hi:.1f})"


def _times(values: Floats) -> str:
    lo, hi = _interval(values)
    return f"{values[0]:.2f} x ({lo:.2f} to {hi:.2f})"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
