"""Findings made up for tests of what is said about them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from specroute.learn.metrics import Figure
from specroute.learn.play import ALWAYS_LARGE, ALWAYS_MINI, Cuts
from specroute.predictor.certificate import Certificate, CertifiedCuts, Estimate, Loss, Requires, Rows
from specroute.tuning.findings import (
    Advice,
    Answer,
    Certified,
    Effect,
    Found,
    FrontPoint,
    Optimum,
    PolicyEffect,
    Setting,
    ShuffleControl,
    Span,
)
from specroute.tuning.targets import Mode, Targets

PAIR = "tiny|huge"
SETTING = Setting(Cuts(0.96, 0.65, 0.7), 1.19)
_CERTIFIED = Cuts(0.97, 0.7, 0.8)


def figure(value: float, half: float = 0.02) -> Figure:
    return Figure(value, value - half, value + half)


def effect(saved: float = 0.6, retention: float = 0.99, p50: float = 0.55, p99: float = 0.93, **more: Any) -> Effect:
    """Returns the effect of a policy that stands thus against a large model of 2 USD per 1,000, p50 2 s, p99 6 s."""
    cost = 0.002 * (1.0 - saved)
    made = Effect(
        quality=figure(0.85 * retention),
        retention=figure(retention),
        cost_usd=figure(cost, 1e-4),
        waste_usd=figure(0.1 * cost, 1e-5),
        saved_ratio=figure(saved),
        mean_s=figure(2.2 * p50),
        p50_s=figure(2.0 * p50),
        p90_s=figure(4.0 * p50),
        p99_s=figure(6.0 * p99),
        p50_ratio=figure(p50),
        p90_ratio=figure((p50 + p99) / 2),
        p99_ratio=figure(p99),
        deadline_hit_ratio=None,
        amplification=figure(1.2),
        objective_usd=figure(cost, 1e-4),
    )
    return replace(made, **more)


def policies(recommended: Effect, setting: Setting | None = SETTING) -> tuple[PolicyEffect, ...]:
    return (
        PolicyEffect("recommended", setting, recommended),
        PolicyEffect("always_mini", Setting(ALWAYS_MINI, None), effect(0.94, 0.9, 0.45, 0.6)),
        PolicyEffect("always_large", Setting(ALWAYS_LARGE, None), effect(0.0, 1.0, 1.0, 1.0)),
        PolicyEffect("random", None, effect(0.6, 0.94, 0.7, 0.95)),
        PolicyEffect("cascade", Setting(Cuts(1.1, -0.1, 0.7), None), effect(0.7, 0.985, 0.6, 1.3)),
        PolicyEffect("race_all", Setting(Cuts(1.1, -0.1, 0.7), 0.0), effect(0.1, 0.99, 0.5, 0.8)),
        PolicyEffect("fixed_hedge", Setting(Cuts(1.1, -0.1, 0.7), 2.5), effect(0.55, 0.985, 0.6, 1.1)),
        PolicyEffect("zones_cascade", Setting(SETTING.cuts, None), effect(0.72, 0.99, 0.6, 1.25)),
        PolicyEffect("zones_race", Setting(SETTING.cuts, 0.0), effect(0.2, 0.99, 0.5, 0.8)),
        PolicyEffect("cost_matched_shuffle", None, effect(0.6, 0.95, 0.6, 1.0)),
        PolicyEffect("clairvoyant", None, effect(0.8, 1.08, 0.4, 0.7)),
    )


def front() -> tuple[FrontPoint, ...]:
    return tuple(
        FrontPoint(Setting(SETTING.cuts, delay), effect(0.2 + 0.1 * at, 0.99 - 0.002 * at, 0.5, 0.8 + 0.1 * at))
        for at, delay in enumerate((0.0, 0.5, 1.0, 1.5, None))
    )


def certificate(*, always_large: bool = False) -> Certificate:
    rows = Rows(400, 400, 400, 0, "a" * 64)
    cuts = CertifiedCuts(None, 1.0, None) if always_large else CertifiedCuts(0.97, 0.7, 0.8)
    return Certificate(
        format_version=1,
        statement="With confidence 0.95, routing by these thresholds loses little.",
        always_large=always_large,
        thresholds=cuts,
        requires=Requires("any"),
        method="binomial",
        policy="full",
        alpha=0.02,
        delta=0.05,
        n=400,
        path_length=10,
        step=0 if always_large else 4,
        saved=Estimate(0.4, 0.3, 0.5),
        loss=Loss(0.004, 0.018),
        pair=PAIR,
        model_version="words-1",
        model_files_sha256="b" * 64,
        verifier=True,
        answered_only=True,
        seed=0,
        calibration=rows,
        tuning=rows,
        mix=(),
        path=(),
    )


def certified() -> Certified:
    note = "Stricter thresholds are certified; they save 40.0 %."
    return Certified(certificate(), effect(0.4, 0.995, 0.7, 0.98), covers_recommended=False, note=note)


def found(**changes: Any) -> Found:
    """Returns a run that recommends to route."""
    span = Span(0.96, 0.94, 0.97)
    made = Found(
        pair=PAIR,
        targets=Targets(mode=Mode.INTERACTIVE),
        latency="mini-fast: mini 0.35 s, large 0.60 s; correlation 0.5",
        n_tuning=1200,
        n_holdout=600,
        left_out=30,
        data_sha256="0a" * 32,
        model_version="words-1",
        policies=policies(effect()),
        front=front(),
        optimum=Optimum(
            SETTING,
            {"direct_mini": span, "direct_large": Span(0.65, 0.5, 0.7), "min_p": Span(0.7, 0.6, 0.8),
             "hedge_delay_s": Span(1.19, 0.9, 1.5)},
            feasible=True,
            missed={},
            candidates=12_345,
        ),
        shuffle=ShuffleControl(1000, 0.79, 0.83, 0.001),
        certified=certified(),
        advice=Advice(Answer.ROUTE, ("It saves 60.0 % (58.0 to 62.0).", "It beats its own decisions shuffled.")),
    )  # fmt: skip
    return replace(made, **changes)


def do_not_route() -> Found:
    """Returns a run on noise."""
    return found(
        advice=Advice(Answer.ALWAYS_LARGE, ("Nothing that keeps the quality saves anything beyond noise.",)),
        shuffle=None,
        certified=None,
    )
