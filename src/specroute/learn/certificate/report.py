"""Writes down what was found: the deployed policy, the steps that were tested, the mix, and the sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.certificate.evidence import betting_bounds, binomial_bounds, least_rows
from specroute.learn.certificate.path.sequence import Trace, rescue_rates
from specroute.learn.metrics import resamples
from specroute.learn.play import ALWAYS_LARGE
from specroute.predictor.certificate import (
    FORMAT_VERSION,
    Certificate,
    CertifiedCuts,
    Estimate,
    Loss,
    PathStep,
    Requires,
    SourceLoss,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.learn.certificate.options import CalibrateOptions
    from specroute.learn.certificate.split import Split
    from specroute.learn.play import Cuts
    from specroute.learn.scoring import ScoredRows
    from specroute.predictor.certificate import Method

    Floats = NDArray[np.float64]

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """A finished walk.

    Attributes:
        trace: of the whole path on the calibration rows.
        p_values: of the steps that were tested.
        passed: how many of them, from the first on, passed.
    """

    split: Split
    path: tuple[Cuts, ...]
    trace: Trace
    p_values: tuple[float, ...]
    passed: int


@dataclass(frozen=True, slots=True)
class Deployed:
    """What the deployed policy does with the calibration rows; always-large where nothing passed.

    Attributes:
        signed, cost_usd: float64[n].
        rescue_rate: share of the tuning clusters that it rescues: it only chooses stakes.
    """

    cuts: Cuts
    signed: Floats
    cost_usd: Floats
    rescue_rate: float


def build_certificate(finding: Finding, options: CalibrateOptions, model_files_sha256: str) -> Certificate:
    """Returns the certificate of ``finding``; its hash is set when it is written."""
    deployed = _deployed(finding)
    saved = _saved(deployed.cost_usd, finding.split.calibration.large_cost_usd, options.seed)
    value, (_, upper) = _loss(deployed, np.arange(deployed.signed.size), options)
    return Certificate(
        format_version=FORMAT_VERSION,
        statement=_statement(finding, options, saved),
        always_large=finding.passed == 0,
        thresholds=_cuts(deployed.cuts),
        requires=Requires(prefer="cheapest" if options.method == "betting" and finding.passed else "any"),
        method=options.method,
        policy=options.policy,
        alpha=options.alpha,
        delta=options.delta,
        n=deployed.signed.size,
        path_length=len(finding.path),
        step=finding.passed,
        saved=saved,
        loss=Loss(value, upper),
        pair=finding.split.calibration.pair,
        model_version=finding.split.calibration.model_version,
        model_files_sha256=model_files_sha256,
        verifier=bool((~np.isnan(finding.split.calibration.verifier_p)).any()),
        answered_only=options.answered_only,
        seed=options.seed,
        calibration=finding.split.calibration_facts,
        tuning=finding.split.tuning_facts,
        mix=_mix(finding.split.calibration, deployed, options),
        path=_steps(finding, options.delta),
    )


def _deployed(finding: Finding) -> Deployed:
    if not finding.passed:
        nothing = np.zeros(finding.split.calibration.large_ok.size)
        return Deployed(ALWAYS_LARGE, nothing, finding.split.calibration.large_cost_usd, 0.0)
    at = finding.passed - 1
    cuts = finding.path[at]
    rescue_rate = float(rescue_rates(finding.split.tuning, Trace.of(finding.split.tuning, [cuts]))[0])
    return Deployed(cuts, finding.trace.signed[at], finding.trace.cost_usd[at], rescue_rate)


def _cuts(cuts: Cuts) -> CertifiedCuts:
    """Returns the cuts with ``None`` for never."""
    mini = None if cuts.direct_mini > 1.0 else cuts.direct_mini
    return CertifiedCuts(mini, None if cuts.direct_large < 0.0 else cuts.direct_large, cuts.min_p, cuts.leeway)


def _steps(finding: Finding, delta: float) -> tuple[PathStep, ...]:
    saved = finding.trace.saved()
    return tuple(
        PathStep(
            cuts=_cuts(finding.path[step]),
            failures=int((finding.trace.signed[step] > 0.0).sum()),
            rescues=int((finding.trace.signed[step] < 0.0).sum()),
            saved=_rounded(saved[step]),
            p_value=float(f"{p_value:.{_DIGITS}g}"),
            passed=p_value <= delta,
        )
        for step, p_value in enumerate(finding.p_values)
    )


def _mix(rows: ScoredRows, deployed: Deployed, options: CalibrateOptions) -> tuple[SourceLoss, ...]:
    names = np.array([row.source for row in rows.rows])
    mix = []
    for name in sorted(set(names.tolist())):
        index = np.flatnonzero(names == name)
        value, (lower, upper) = _loss(deployed, index, options)
        large_usd = rows.large_cost_usd[index].sum()
        saved = 1.0 - deployed.cost_usd[index].sum() / large_usd if large_usd > 0.0 else 0.0
        share = _rounded(index.size / names.size)
        mix.append(SourceLoss(name, int(index.size), share, _rounded(saved), value, lower, upper))
    return tuple(mix)


def _loss(deployed: Deployed, index: NDArray[np.int64], options: CalibrateOptions) -> tuple[float, tuple[float, float]]:
    """Returns the mean loss of the rows at ``index`` as the method counts it, and its two one-sided bounds."""
    signed = deployed.signed[index]
    if deployed.cuts == ALWAYS_LARGE:
        return 0.0, (0.0, 0.0)
    if options.method == "binomial":
        failures = int((signed > 0.0).sum())
        bounds = binomial_bounds(failures, signed.size, options.delta)
        return _rounded(failures / signed.size), (_rounded(bounds[0]), _rounded(bounds[1]))
    failure_rate = float((deployed.signed > 0.0).mean())
    lower, upper = betting_bounds(signed, options.delta, deployed.rescue_rate, failure_rate)
    return _rounded(signed.mean()), (_rounded(lower), _rounded(upper))


def _saved(cost_usd: Floats, large_usd: Floats, seed: int) -> Estimate:
    draws = resamples(np.arange(cost_usd.size), seed)
    drawn = 1.0 - (draws @ cost_usd) / (draws @ large_usd)
    lo, hi = np.percentile(drawn, [2.5, 97.5])
    return Estimate(_rounded(1.0 - cost_usd.sum() / large_usd.sum()), _rounded(lo), _rounded(hi))


def _statement(finding: Finding, options: CalibrateOptions, saved: Estimate) -> str:
    n, confidence = finding.split.calibration.large_ok.size, f"{1.0 - options.delta:.4g}"
    alpha = f"{100.0 * options.alpha:.4g}"
    if finding.passed:
        cost = f"{100.0 * (1.0 - saved.value):.3g} % as much as the large model alone did on them"
        return (
            f"With confidence {confidence}, {_promise(options.method, alpha)}, on prompts drawn like the {n} "
            f"that it was tested on, and it costs {cost}."
        )
    if n < (least := least_rows(options.alpha, options.delta)):
        why = (
            f"{n} prompts cannot show a loss of at most {alpha} % at confidence {confidence}, not even without a "
            f"single failure; it takes at least {least}"
        )
    elif not finding.path:
        why = "on the tuning rows no policy was cheaper than the large model alone"
    else:
        why = (
            f"on {n} prompts not even the most conservative policy was shown to lose at most {alpha} % at confidence "
            f"{confidence}"
        )
    return f"Nothing is certified, and every request goes to the large model: {why}."


def _promise(method: Method, alpha: str) -> str:
    if method == "binomial":
        return (
            "routing by these thresholds delivers an unacceptable answer where the large model's is acceptable to "
            f"at most {alpha} % of prompts"
        )
    return (
        "the share of prompts that get an acceptable answer when routed by these thresholds is at most "
        f"{alpha} percentage points below the large model's, as long as a large answer never displaces an accepted "
        "mini answer"
    )


def _rounded(value: float | np.floating) -> float:
    return round(float(value), _DIGITS)
