"""From settings to the policy: its cuts, which a certificate may give, and its rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specroute.app.judges import added_name
from specroute.app.refused import SettingRefused, naming
from specroute.config import policy_fingerprint
from specroute.core.request import Quality, Risk
from specroute.policy.planner import Always, Planner, Thresholds
from specroute.policy.rules import AllowOnly, Condition, RaceBetween, RouteTo, Rule, StartAt
from specroute.predictor.certificate import read_certificate
from specroute.predictor.verifier.leeway import Cut
from specroute.validators.registry import VERIFIER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.config import Settings
    from specroute.config.schema.policy import RuleSettings, WhenSettings
    from specroute.core.ports import Predictor
    from specroute.core.tier import Tier
    from specroute.predictor.certificate import Certificate

_CERTIFICATE = ("policy", "certificate")
_NEVER_DIRECT_MINI, _NEVER_DIRECT_LARGE = 1.1, -0.1


@dataclass(frozen=True, slots=True)
class Deciding:
    """The policy, and the certificate that its cuts come from where there is one.

    Attributes:
        certificate: checked against model, tiers, race and validators.
    """

    settings: Settings
    certificate: Certificate | None

    @classmethod
    def of(cls, settings: Settings, predictor: Predictor) -> Deciding:
        """Reads the configured certificate and proves that this service is what it is about.

        Raises:
            SettingRefused: it is not, or cannot be read.
        """
        path = settings.policy.certificate
        if path is None:
            return cls(settings, None)
        with naming(*_CERTIFICATE):
            certificate = read_certificate(path)
            certificate.check(predictor.version)
        _check_tiers(settings)
        _check_race(settings, certificate)
        _check_verifier(settings, certificate)
        return cls(settings, certificate)

    @property
    def certificate_name(self) -> str:
        """What decisions call the certificate; "": there is none."""
        return "" if self.certificate is None else self.certificate.name

    @property
    def cut(self) -> Cut | None:
        """The verifier's certified cut; ``None``: as it is configured."""
        if self.certificate is None or self.certificate.thresholds.min_p is None:
            return None
        return Cut(self.certificate.thresholds.min_p, self.certificate.thresholds.leeway)

    def planner(self, tiers: Sequence[Tier]) -> Planner:
        """Returns the planner over ``tiers``, cheapest first."""
        return Planner(
            tiers=tuple(tiers),
            policy=self._policy(),
            rules=tuple(_rule(rule) for rule in self.settings.policy.rules),
            max_legs=self.settings.speculation.max_legs,
            version=policy_fingerprint(self.settings),
            certificate=self.certificate_name,
        )

    def _policy(self) -> Thresholds | Always:
        policy = self.settings.policy
        if policy.tier is not None:
            return Always(policy.tier)
        delay_s = policy.thresholds.hedge_delay_s
        if self.certificate is None:
            return Thresholds(policy.thresholds.direct_mini, policy.thresholds.direct_large, delay_s)
        if self.certificate.always_large:
            return Always(self.settings.tier_names[-1])
        mini, large = self.certificate.thresholds.direct_mini, self.certificate.thresholds.direct_large
        return Thresholds(
            _NEVER_DIRECT_MINI if mini is None else mini, _NEVER_DIRECT_LARGE if large is None else large, delay_s
        )


def _check_tiers(settings: Settings) -> None:
    if len(settings.tiers) != 2:
        message = f"it is about two tiers, the service has {len(settings.tiers)}; remove it, or the further tiers"
        raise SettingRefused(_CERTIFICATE, message)


def _check_race(settings: Settings, certificate: Certificate) -> None:
    """Refuses a race in which a large answer may displace a mini answer that would be accepted, where that counts."""
    holds_for_mini = settings.policy.thresholds.hedge_delay_s is None or (
        settings.race.prefer == "cheapest" and settings.race.cheapest_grace_s >= settings.deadline.max_s
    )
    if certificate.requires.prefer == "cheapest" and not (certificate.always_large or holds_for_mini):
        raise SettingRefused(
            _CERTIFICATE,
            "it holds only where large's answer never displaces an accepted mini answer; write policy.thresholds: "
            "{hedge_delay: on_rejection}, or race: {prefer: cheapest, cheapest_grace: ..} of at least deadline.max, or "
            "calibrate with --method binomial",
        )


def _check_verifier(settings: Settings, certificate: Certificate) -> None:
    items = [(at, item) for at, item in enumerate(settings.validation.validators) if item.name == VERIFIER]
    if certificate.always_large:
        return
    if certificate.thresholds.min_p is None:
        if items:
            key = ("validation", "validators", items[0][0])
            raise SettingRefused(key, "policy.certificate was made without the verifier; remove it, or calibrate again")
        return
    if not items:
        raise SettingRefused(
            _CERTIFICATE,
            "its mini answers are verified; add {name: verifier, on_abstain: reject} to validation.validators",
        )
    at, item = items[0]
    key = ("validation", "validators", at)
    if item.on_abstain != "reject":
        raise SettingRefused(key, "policy.certificate holds where an abstention sends up; write on_abstain: reject")
    for name in ("min_p", "leeway"):
        if getattr(item, name) is not None:
            raise SettingRefused((*key, name), "comes from policy.certificate; remove it here")
    predictor = settings.predictor
    if item.model is not None and (predictor is None or item.model != predictor.model):
        raise SettingRefused((*key, "model"), "policy.certificate is about the predictor's model; remove it here")


def _rule(settings: RuleSettings) -> Rule:
    if settings.route is not None:
        action: RouteTo | StartAt | RaceBetween | AllowOnly = RouteTo(settings.route)
    elif settings.start is not None:
        action = StartAt(settings.start)
    elif settings.race is not None:
        action = RaceBetween((settings.race[0], settings.race[1]))
    else:
        action = AllowOnly(frozenset(settings.allow or ()))
    return Rule(
        settings.name,
        _condition(settings.when),
        action,
        settings.review,
        tuple(added_name(settings, item) for item in settings.validators),
    )


def _condition(settings: WhenSettings) -> Condition:
    return Condition(
        task_types=frozenset(settings.task_type),
        risks=frozenset(Risk(risk) for risk in settings.risk),
        risk_domains=frozenset(settings.risk_domain),
        user_tiers=frozenset(settings.user_tier),
        outputs=frozenset(settings.output),
        qualities=frozenset(Quality(quality) for quality in settings.quality),
        min_input_tokens=settings.min_input_tokens,
        max_input_tokens=settings.max_input_tokens,
        has_tools=settings.has_tools,
        min_turns=settings.min_turns,
        labels={key: frozenset(values) for key, values in settings.labels.items()},
    )
