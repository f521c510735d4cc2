"""An evaluation as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from specroute.learn.evaluation.evaluate import POOLED
from specroute.learn.evaluation.measures.curves import SAVE_AT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from specroute.learn.evaluation.evaluate import Evaluation
    from specroute.learn.evaluation.left_out import LeftOut
    from specroute.learn.metrics import Figure

_PROBABILITY = ("auroc", "log_loss", "brier", "ece")
_CURVE = ("apgr_10", "apgr_deciles", "apgr_trapezoid", "cpt50", "cpt80", "apgr_usd", "cpt50_usd", "cpt80_usd", "aiq")


def tables(evaluation: Evaluation, left_out: Mapping[str, LeftOut]) -> Iterator[Table]:
    """Yields the tables in the order of reading; the policies last, next to the advice."""
    yield _probabilities(evaluation)
    yield _gains(evaluation)
    yield _curves(evaluation)
    if left_out:
        yield _left_out(left_out)
    yield _policies(evaluation)


def _probabilities(evaluation: Evaluation) -> Table:
    table = Table("rows of", "n", "what", *_PROBABILITY, title="Probabilities, with 95 % intervals by group")
    for name, part in evaluation.parts.items():
        table.add_row(escape(name), str(part.n), "predictor", *(shown(part.predictor[own]) for own in _PROBABILITY))
        if part.verifier:
            figures = (shown(part.verifier[own]) for own in _PROBABILITY)
            table.add_row("", str(part.judged), "verifier", *figures)
    return table


def _gains(evaluation: Evaluation) -> Table:
    metrics = ("auroc", "log_loss", "apgr_trapezoid")
    table = Table("rows of", "baseline", *metrics, title="What the predictor is better by (above 0), paired")
    for name, part in evaluation.parts.items():
        for number, (baseline, gains) in enumerate(part.gain_over.items()):
            figures = (shown(gains[metric]) for metric in metrics)
            table.add_row("" if number else escape(name), baseline, *figures)
    return table


def _curves(evaluation: Evaluation) -> Table:
    part = evaluation.parts[POOLED]
    reading = {"prompt": part.predictor, "answer": part.verifier, "both": part.both}
    known = {name: figures for name, figures in reading.items() if figures}
    table = Table("pooled", *(f"reads {name}" for name in known), title="Curves over all thresholds, in hindsight")
    saved = [(f"save_at_{target}", f"saved at {target:.0%} of quality") for target in SAVE_AT]
    for metric, words in (*((name, name) for name in _CURVE), *saved):
        table.add_row(words, *(shown(figures[metric]) for figures in known.values()))
    return table


def _left_out(left_out: Mapping[str, LeftOut]) -> Table:
    columns = ("n", "auroc", "log_loss", "ece", "width", "width seen", "saved", "quality - large", "mini/large/cascade")
    table = Table("left out", *columns, title="Sources that the models were trained without")
    for name, own in left_out.items():
        plans = "/".join(f"{100 * share:.0f}" for share in own.product.plans.values())
        table.add_row(
            escape(name),
            str(own.n),
            *(shown(own.predictor[metric]) for metric in ("auroc", "log_loss", "ece")),
            f"{own.interval_width:.3f}",
            f"{own.interval_width_seen:.3f}",
            shown(own.product.figures["saved_ratio"]),
            shown(own.quality_gain),
            plans,
        )
    return table


def _policies(evaluation: Evaluation) -> Table:
    how = "tuned on the tuning rows" if evaluation.tuned_on is not None else "tuned on one half, measured on the other"
    title = f"Policies, pooled, {how} for {evaluation.options.target:.4g} of large's quality"
    columns = ("quality kept", "saved", "burnt", "escalated", "under", "over", "oracle gap")
    table = Table("policy", *columns, title=title)
    for name, policy in evaluation.policies[POOLED].items():
        figures = policy.figures
        label = f"[bold]{name} (product)[/bold]" if name == evaluation.roster.product else name
        burnt, cost = figures["waste_usd"].value, figures["cost_usd"].value
        table.add_row(
            label,
            shown(figures["retention"]),
            shown(figures["saved_ratio"]),
            f"{burnt / cost:.1%}" if burnt is not None and cost else "-",
            *(_value(figures[own]) for own in ("escalation_ratio", "under_routing_ratio", "over_routing_ratio")),
            _value(figures["oracle_gap"]),
        )
    return table


def shown(figure: Figure) -> str:
    """Returns ``0.726 [0.701, 0.748]``, as markup that rich prints so; a dash where it is not defined."""
    if figure.value is None:
        return "-"
    if figure.lo is None or figure.hi is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} \\[{figure.lo:.3f}, {figure.hi:.3f}]"


def _value(figure: Figure) -> str:
    return "-" if figure.value is None else f"{figure.value:.3f}"
