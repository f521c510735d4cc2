"""What a tuning run finds, as data: what reports show and files carry."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specroute.learn.metrics import Figure
    from specroute.learn.play import Cuts
    from specroute.predictor.certificate import Certificate
    from specroute.tuning.targets import Targets


@dataclass(frozen=True, slots=True)
class Setting:
    """All that is tuned.

    Attributes:
        cuts: who is sent straight to one tier, and how sure the verifier must be.
        hedge_delay_s: between the cuts, when the large leg starts: 0 a race; ``None`` on rejection only (a cascade).
    """

    cuts: Cuts
    hedge_delay_s: float | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a policy does with the measured rows; each figure with its 95 % interval by cluster bootstrap.

    Attributes:
        quality: share of acceptable answers.
        retention: quality / always-large's.
        cost_usd: mean per request, all calls. ``waste_usd``: of it the calls whose answer was not delivered.
        saved_ratio: 1 - cost / always-large's; net of waste.
        mean_s, p50_s, p90_s, p99_s: latency.
        p50_ratio, p90_ratio, p99_ratio: over always-large's.
        deadline_hit_ratio: share that ends within the deadline; ``None``: there is none.
        amplification: calls per request.
        objective_usd: cost + latency value x mean latency.
    """

    quality: Figure
    retention: Figure
    cost_usd: Figure
    waste_usd: Figure
    saved_ratio: Figure
    mean_s: Figure
    p50_s: Figure
    p90_s: Figure
    p99_s: Figure
    p50_ratio: Figure
    p90_ratio: Figure
    p99_ratio: Figure
    deadline_hit_ratio: Figure | None
    amplification: Figure
    objective_usd: Figure


@dataclass(frozen=True, slots=True)
class PolicyEffect:
    """One row of the table.

    Attributes:
        name: snake case: ``recommended``, ``always_mini``, ``cost_matched_shuffle``, ``clairvoyant`` ...
        setting: ``None``: it is no setting of the service (it draws lots, or knows the grades).
        effect: on the held-out rows.
    """

    name: str
    setting: Setting | None
    effect: Effect


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A setting that no other of the search beats on money, tail and quality at once; measured on held-out rows.

    Figures of ``effect`` have intervals like every policy's.
    """

    setting: Setting
    effect: Effect


@dataclass(frozen=True, slots=True)
class Span:
    """Where the optimum lies over resampled tuning rows: the middle 95 % of what was chosen.

    It reaches out to the next value that was tried on either side: between two of them nothing is known.

    ``None``: not tuned, never, or "on rejection" for a delay.
    """

    chosen: float | None
    lo: float | None
    hi: float | None


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best setting on the tuning rows, and how sure that is.

    Attributes:
        setting: chosen.
        spans: ``direct_mini``, ``direct_large``, ``min_p``, ``hedge_delay_s`` -> where resampling puts it.
        feasible: whether it keeps all targets on the tuning rows.
        missed: target -> in words, by how much it is missed; empty where feasible.
        candidates: how many settings were searched.
    """

    setting: Setting
    spans: Mapping[str, Span]
    feasible: bool
    missed: Mapping[str, str]
    candidates: int


@dataclass(frozen=True, slots=True)
class ShuffleControl:
    """Does the policy know anything? Its own decisions, dealt out to the held-out rows at random, at its cost.

    Attributes:
        quality_lo, quality_hi: 95 % of the permutations lie between.
        p_value: chance of a permutation at least as good, counting the policy itself.
    """

    permutations: int
    quality_lo: float
    quality_hi: float
    p_value: float


class Answer(StrEnum):
    """What the run says in the end."""

    ROUTE = "route"
    """Use the recommended configuration."""
    ALWAYS_LARGE = "always_large"
    """Do not route: nothing that keeps the targets saves anything beyond noise."""
    ALWAYS_MINI = "always_mini"
    """Do not route: the mini alone is as good (or better) and cheaper, or faster."""


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer, and why, a sentence each."""

    answer: Answer
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Certified:
    """What the certificate machinery says on the held-out rows.

    Attributes:
        certificate: for the cuts that pass, which may be stricter than the recommended ones.
        effect: of those cuts with the recommended hedge delay.
        covers_recommended: whether the recommended cuts themselves are certified.
        note: one sentence.
    """

    certificate: Certificate
    effect: Effect
    covers_recommended: bool
    note: str


@dataclass(frozen=True, slots=True)
class Found:
    """All that a run found before anything was confirmed with the engine or live.

    Attributes:
        pair: ``mini|large``.
        targets: as asked.
        latency: the latency model in one line.
        n_tuning, n_holdout: rows; ``left_out``: rows of the pair without a recorded answer or a grade.
        data_sha256, model_version: what the figures depend on.
        policies: the table: ``recommended`` first, baselines, the clairvoyant bound last.
        front: the Pareto front over money, p99 and quality.
        optimum: of the search.
        shuffle: ``None``: nothing is recommended that could be shuffled.
        certified: ``None``: no certificate is possible, as for a loss of 0. A certificate that says ``always_large``:
            nothing cheaper passed, or there are too few clusters, which its note tells.
        advice: the answer. Where it is not to route, ``recommended`` is the best setting that was found, or the nearest
            to the targets, and is not to be used.
    """

    pair: str
    targets: Targets
    latency: str
    n_tuning: int
    n_holdout: int
    left_out: int
    data_sha256: str
    model_version: str
    policies: tuple[PolicyEffect, ...]
    front: tuple[FrontPoint, ...]
    optimum: Optimum
    shuffle: ShuffleControl | None
    certified: Certified | None
    advice: Advice

    def policy(self, name: str) -> PolicyEffect:
        """Returns the row called ``name``.

        Raises:
            KeyError: there is none.
        """
        for policy in self.policies:
            if policy.name == name:
                return policy
        raise KeyError(name)
