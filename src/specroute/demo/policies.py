"""The four policies that are compared, as configurations of the service."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from specroute.config import parse_settings
from specroute.config.schema.validation import DEFAULT_VALIDATORS, OnAbstain
from specroute.predictor.verifier.manifest import VERIFIER_FILE

if TYPE_CHECKING:
    from specroute.config import Settings

TIER_PRICES = {
    "mini": "{input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.60}",
    "large": "{input_usd_per_mtok: 2.50, output_usd_per_mtok: 10.00}",
}
BASELINE = "always-large"

PRIOR = 0.85
"""P(mini is acceptable) of every request where there is no model; it lies between the cuts."""

DIRECT_MINI, DIRECT_LARGE = 0.92, 0.60
"""Where the whole interval of p lies at or above the first, mini answers alone; at or below the second, large does.
What lies between runs both, and mini's answer is verified.

They are what ``specroute evaluate --tuning`` finds for the zones on the outcomes that the default model learnt from,
rounded: about what keeps 98 % of large's quality there.
"""


@dataclass(frozen=True, slots=True)
class PolicyUnderTest:
    """One column of the comparison: which tiers the service has, and its ``policy`` section.

    Attributes:
        on_abstain: what becomes of an answer about which the verifier has nothing to say.
    """

    name: str
    tiers: tuple[str, ...]
    section: str
    on_abstain: OnAbstain = "accept"

    def config(self, base_url: str, *, model: Path | None, max_in_flight: int) -> str:
        """Returns the whole configuration file; the tiers answer at ``base_url`` under their own names."""
        predictor = f"{{prior: {PRIOR}}}" if model is None else f"{{model: {json.dumps(str(model))}}}"
        lines = ["listen: 127.0.0.1:0", "metrics_listen: 127.0.0.1:0", "tiers:"]
        for tier in self.tiers:
            endpoint = f"kind: openai, base_url: {json.dumps(base_url)}, model: {tier}"
            lines += [
                f"  - name: {tier}",
                f"    price: {TIER_PRICES[tier]}",
                f"    upstreams: [{{{endpoint}, max_concurrency: {max_in_flight}}}]",
            ]
        if len(self.tiers) > 1:
            lines.append(f"predictor: {predictor}")
            if model is not None and (model / VERIFIER_FILE).is_file():
                verifier = f"{{name: verifier, on_abstain: {self.on_abstain}}}"
                lines.append(f"validation: {{validators: [{', '.join(DEFAULT_VALIDATORS)}, {verifier}]}}")
        return "\n".join([*lines, f"policy: {self.section}", f"limits: {{max_in_flight: {max_in_flight}}}", ""])

    def settings(self, base_url: str, *, model: Path | None, max_in_flight: int) -> Settings:
        """Returns the checked settings of ``config``.

        Raises:
            ConfigError: the model's path cannot be used.
        """
        text = self.config(base_url, model=model, max_in_flight=max_in_flight)
        return parse_settings(text, f"demo policy {self.name}", folder=Path.cwd(), environ={})


def _thresholds(hedge_delay: str) -> str:
    cuts = f"direct_mini: {DIRECT_MINI}, direct_large: {DIRECT_LARGE}, hedge_delay: {hedge_delay}"
    return f"{{kind: thresholds, thresholds: {{{cuts}}}}}"


def policies(on_abstain: OnAbstain) -> tuple[PolicyUnderTest, ...]:
    """Returns the four policies, with what becomes of answers that the verifier cannot judge."""
    return (
        PolicyUnderTest("always-mini", ("mini",), "{kind: always, tier: mini}"),
        PolicyUnderTest(BASELINE, ("large",), "{kind: always, tier: large}"),
        PolicyUnderTest("cascade", ("mini", "large"), _thresholds("on_rejection"), on_abstain),
        PolicyUnderTest("race", ("mini", "large"), _thresholds("0s"), on_abstain),
    )


SIMULATED_POLICIES = policies("accept")
"""Everyday prompts, most of them open-ended: what nobody can judge is taken as it is."""

RECORDED_POLICIES = policies("reject")
"""Answers of the kinds that the verifier learnt from: one that it cannot judge is no such answer."""
