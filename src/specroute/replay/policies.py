"""What is compared with a configured policy: plainer ones over the same tiers, with the same validators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.config.schema.validation import LeewaySettings
from specroute.predictor.certificate import read_certificate
from specroute.replay.answers import ROLES, AnswerBook, ReplayError
from specroute.validators.registry import VERIFIER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from specroute.config import Settings
    from specroute.config.schema.validation import ValidationSettings
    from specroute.learn.dataset import Outcome
    from specroute.predictor.certificate import CertifiedCuts
    from specroute.upstreams.simulated.latency import LatencyModel

CONFIGURED = "configured"
ALWAYS_MINI, ALWAYS_LARGE = "always_mini", "always_large"
BASELINES: Mapping[str, str] = {
    ALWAYS_MINI: "the mini alone; large only where the validators reject its answer",
    ALWAYS_LARGE: "the large model alone",
    "cascade": "mini first for every request, large on rejection",
    "zones_cascade": "the config's cuts; between them mini first, large on rejection",
    "race": "the config's cuts; between them both at once",
    "race_all": "both at once for every request",
    "fixed_hedge": "mini first for every request, large on rejection or at the mini's 95th percentile of latency",
}
"""Name -> meaning. The rules of the config hold under all but the first two."""

_WITH_CUTS = ("zones_cascade", "race")
_NEVER_MINI, _NEVER_LARGE = 1.1, -0.1
_HEDGE_QUANTILE, _HEDGE_DIGITS = 0.95, 2


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """One row of the table."""

    name: str
    settings: Settings


def baselines(settings: Settings, names: Sequence[str], *, hedge_delay_s: float) -> tuple[NamedPolicy, ...]:
    """Returns the baselines ``names`` for the configuration ``settings``, in the order of ``BASELINES``.

    Args:
        settings: two tiers.
        names: keys of ``BASELINES``; empty: all that make sense for ``settings``.
        hedge_delay_s: of ``fixed_hedge``.

    Raises:
        ReplayError: a name is not known, or asks for cuts that ``settings`` do not have.
        CertificateError: the configured certificate cannot be read.
    """
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise ReplayError(f"--policy {unknown[0]!r}: choose of {', '.join((CONFIGURED, *BASELINES))}")
    has_cuts = settings.policy.kind == "thresholds"
    wanting = [name for name in names if name in _WITH_CUTS and not has_cuts]
    if wanting:
        raise ReplayError(f"--policy {wanting[0]}: the config has no cuts; write policy: {{kind: thresholds, ..}}")
    plain = _without_certificate(settings)
    chosen = [name for name in BASELINES if name in names or (not names and (has_cuts or name not in _WITH_CUTS))]
    return tuple(NamedPolicy(name, _baseline(plain, name, hedge_delay_s)) for name in chosen)


def mini_p95_s(rows: Sequence[Outcome], *, pair: str, latency: LatencyModel, seed: int) -> float:
    """Returns the 95th percentile of the mini's time for a whole answer, in seconds, to 10 ms."""
    book = AnswerBook(rows, pair, latency, seed)
    times_s = [book.answer(index, ROLES[0]).whole_s for index in range(len(rows))]
    return round(float(np.quantile(times_s, _HEDGE_QUANTILE)), _HEDGE_DIGITS)


def _baseline(settings: Settings, name: str, hedge_delay_s: float) -> Settings:
    if name in (ALWAYS_MINI, ALWAYS_LARGE):
        tier = settings.tier_names[0 if name == ALWAYS_MINI else -1]
        return _with_policy(settings, kind="always", tier=tier, rules=())
    cuts: dict[str, object] = {}
    if name not in _WITH_CUTS:
        cuts = {"direct_mini": _NEVER_MINI, "direct_large": _NEVER_LARGE}
    delays: dict[str, float | None] = {"race": 0.0, "race_all": 0.0, "fixed_hedge": hedge_delay_s}
    cuts["hedge_delay_s"] = delays.get(name)
    return _with_policy(
        settings, kind="thresholds", tier=None, thresholds=settings.policy.thresholds.model_copy(update=cuts)
    )


def _with_policy(settings: Settings, **changed: object) -> Settings:
    # A copy is not validated: "never direct" has cuts that no file may write.
    return settings.model_copy(update={"policy": settings.policy.model_copy(update=changed)})


def _without_certificate(settings: Settings) -> Settings:
    """Returns settings with the cuts that the configured certificate gives, and without it."""
    if settings.policy.certificate is None:
        return settings
    certificate = read_certificate(settings.policy.certificate)
    own = certificate.thresholds
    cuts = {
        "direct_mini": _NEVER_MINI if own.direct_mini is None else own.direct_mini,
        "direct_large": _NEVER_LARGE if own.direct_large is None else own.direct_large,
    }
    if certificate.always_large:
        cuts = {"direct_mini": _NEVER_MINI, "direct_large": 1.0}
    plain = _with_policy(settings, certificate=None, thresholds=settings.policy.thresholds.model_copy(update=cuts))
    return plain.model_copy(update={"validation": _with_cut(settings.validation, own)})


def _with_cut(validation: ValidationSettings, own: CertifiedCuts) -> ValidationSettings:
    leeway = LeewaySettings(exponent=own.leeway.exponent, typical_tokens=own.leeway.typical_tokens)
    cut = {"min_p": own.min_p, "leeway": leeway}
    items = tuple(item.model_copy(update=cut) if item.name == VERIFIER else item for item in validation.validators)
    return validation.model_copy(update={"validators": items})
