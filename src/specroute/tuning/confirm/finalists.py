"""Who is confirmed, and the configuration that each of them is served by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from specroute.config import parse_settings
from specroute.config.parse import parse
from specroute.tuning.confirm.compared import Measured
from specroute.tuning.recommended.edits import asks_one_tier, certified_setting, edits_of
from specroute.tuning.recommended.template import UNCERTAIN, confirming_config
from specroute.tuning.recommended.text_edits import edited

if TYPE_CHECKING:
    from specroute.config import Settings
    from specroute.tuning.findings import Effect, Found, PolicyEffect, Setting
    from specroute.tuning.recommended.template import Shape

RECOMMENDED, CERTIFIED = "recommended", "certified"
_ALWAYS = {"always_large": "large", "always_mini": "mini"}
_NOWHERE = "http://127.0.0.1:9/v1"
MAX_IN_FLIGHT = 2000


@dataclass(frozen=True, slots=True)
class Finalist:
    """A policy to confirm.

    Attributes:
        tier: all that is asked, of an always-policy; "": ``setting`` decides.
        predicted: what the search says of it.
        is_certified: whether a certificate gives its cuts.
    """

    name: str
    tier: str
    setting: Setting
    predicted: Measured
    is_certified: bool = False

    def settings(
        self, shape: Shape, certificate: Path | None, *, base_url: str = _NOWHERE, speed: float = 1.0
    ) -> Settings:
        """Returns the service that decides so, over tiers at ``base_url`` whose delays are divided by ``speed``.

        Args:
            shape: prices and model.
            certificate: the file, where it is certified.
            base_url: of the simulated tiers; without one, of none: they are never called.
            speed: divides the hedge delay, too.

        Raises:
            ConfigError: the model's folder or the certificate cannot be used.
        """
        name = f"confirming {self.name}"
        policy = f"{{kind: always, tier: {self.tier}}}" if self.tier else UNCERTAIN
        text = confirming_config(shape, policy, base_url, max_in_flight=MAX_IN_FLIGHT)
        if not self.tier:
            delay_s = self.setting.hedge_delay_s
            paced = replace(self.setting, hedge_delay_s=None if delay_s is None else delay_s / speed)
            path = str(certificate.absolute()) if self.is_certified and certificate is not None else ""
            text = edited(text, edits_of(parse(name, text).root, paced, None, certificate=path))
        return parse_settings(text, name, folder=Path.cwd(), environ={})


def finalists(found: Found) -> tuple[Finalist, ...]:
    """Returns the policies worth confirming: the best found, both tiers alone, and what is certified."""
    names = (RECOMMENDED, *_ALWAYS)
    chosen = [policy for policy in found.policies if policy.name in names and _is_of_its_own(policy)]
    made = [
        Finalist(
            policy.name,
            _ALWAYS.get(policy.name, ""),
            policy.setting or found.optimum.setting,
            _predicted(policy.effect, found),
        )
        for policy in sorted(chosen, key=lambda policy: names.index(policy.name))
    ]
    own = found.certified
    if own is not None and not own.certificate.always_large and not own.covers_recommended:
        setting = certified_setting(own, found.policy(RECOMMENDED).setting or found.optimum.setting)
        made.append(Finalist(CERTIFIED, "", setting, _predicted(own.effect, found), is_certified=True))
    return tuple(made)


def _is_of_its_own(policy: PolicyEffect) -> bool:
    """Whether it is served as a setting, and is not one of the always-policies under another name."""
    return policy.setting is not None and (policy.name in _ALWAYS or not asks_one_tier(policy.setting))


def _predicted(effect: Effect, found: Found) -> Measured:
    quality, cost_usd, p50_s, p99_s = (
        0.0 if figure.value is None else figure.value
        for figure in (effect.quality, effect.cost_usd, effect.p50_s, effect.p99_s)
    )
    return Measured(found.n_holdout, quality, cost_usd, p50_s, p99_s)
