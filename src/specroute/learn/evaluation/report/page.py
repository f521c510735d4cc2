"""An evaluation as one HTML page that needs nothing else: no script, no font, no request to anywhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from specroute.learn.evaluation.evaluate import POOLED
from specroute.learn.evaluation.measures.curves import SAVE_AT
from specroute.learn.evaluation.report.markup import interval, picture, table, whole_page
from specroute.learn.evaluation.report.prose import HOW_POLICIES_ARE_PLAYED, METHOD, POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from specroute.learn.evaluation.evaluate import Evaluation
    from specroute.learn.evaluation.left_out import LeftOut
    from specroute.learn.evaluation.report.canvas import Chart
    from specroute.learn.metrics import Figure

_PROBABILITY = ("auroc", "log_loss", "brier", "ece")
_CURVE = ("apgr_10", "apgr_deciles", "apgr_trapezoid", "cpt50", "cpt80", "apgr_usd", "cpt50_usd", "cpt80_usd", "aiq")
_PERCENT = ("retention", "saved_ratio", "escalation_ratio", "under_routing_ratio", "over_routing_ratio", "oracle_gap")


def page(evaluation: Evaluation, left_out: Mapping[str, LeftOut], charts: Sequence[Chart], *, command: str) -> str:
    """Returns the page; ``command`` is what reproduces it. All that comes from the data is escaped."""
    rows, options = evaluation.rows, evaluation.options
    advice = evaluation.advice
    tuned = (
        "no tuning file: thresholds are tuned on one half of the groups and measured on the other, both ways round"
        if evaluation.tuned_on is None
        else f"thresholds tuned on {evaluation.tuned_on:,} other rows"
    )
    facts = (
        f"{rows.p.size:,} prompts in {len(set(rows.groups.tolist())):,} groups, pair {rows.pair}, model "
        f"{rows.model_version}; {tuned}; target {options.target:.4g} of large's quality; seed {options.seed}"
    )
    pictures = {chart.name: picture(chart) for chart in charts}
    body = [
        f"<h1>Routing evaluation: {escape(rows.pair)}</h1>",
        f'<p class="advice {"off" if advice.is_off else "on"}">{escape(advice.text)}</p>',
        f"<p>{escape(facts)}</p>",
        *("<h2>Policies</h2>", f"<p>{escape(HOW_POLICIES_ARE_PLAYED)}</p>", pictures.get("frontier", "")),
        _policies(evaluation),
        _shuffle(evaluation),
        *("<ul>", *(f"<li><b>{escape(word)}</b>: {escape(meaning)}</li>" for word, meaning in POLICIES), "</ul>"),
        *("<h2>Predictor and verifier</h2>", pictures.get("reliability", ""), _probabilities(evaluation)),
        *("<h3>What the predictor is better by</h3>", _gains(evaluation)),
        *("<h3>Curves over all thresholds, in hindsight</h3>", _curves(evaluation)),
        *("<h2>Source by source</h2>", pictures.get("sources", ""), _by_source(evaluation)),
        *(("<h2>Sources left out of training</h2>", _left_out(left_out)) if left_out else ()),
        "<h2>Method</h2>",
        *(f"<p><b>{escape(word)}</b> {escape(meaning)}</p>" for word, meaning in METHOD),
        f"<h2>Reproduce</h2><pre>{escape(command)}</pre>",
        f"<p>data sha256 <code>{escape(rows.data_sha256)}</code></p>",
    ]
    return whole_page(f"specroute evaluation: {rows.pair}", body)


def _policies(evaluation: Evaluation) -> str:
    product = evaluation.roster.product
    head = ("policy", "quality kept %", "saved %", "USD per 1,000", "burnt %", *_words(_PERCENT[2:], " %"))
    return table(
        head,
        [
            (
                f"{name} (product)" if name == product else name,
                *(_percent(policy.figures[own]) for own in ("retention", "saved_ratio")),
                _value(policy.figures["cost_usd"], 1000.0),
                _share(policy.figures["waste_usd"], policy.figures["cost_usd"]),
                *(_value(policy.figures[own], 100.0, 1) for own in _PERCENT[2:]),
            )
            for name, policy in evaluation.policies[POOLED].items()
        ],
    )


def _shuffle(evaluation: Evaluation) -> str:
    own, gain = evaluation.permutations, evaluation.gain_over["cost_matched_shuffle"]
    told = (
        f"Against its own decisions dealt out at random at the same cost, the product's quality is {_percent(gain)} "
        f"points higher; 95 % of {own.permutations:,} permutations reach {100 * own.quality_lo:.1f} to "
        f"{100 * own.quality_hi:.1f} % right answers, and p = {own.p_value:.4f} that one does as well."
    )
    return f"<p>{escape(told)}</p>"


def _probabilities(evaluation: Evaluation) -> str:
    def lines() -> Iterator[tuple[str, ...]]:
        for name, part in evaluation.parts.items():
            yield name, "predictor", f"{part.n:,}", *(_figure(part.predictor[own]) for own in _PROBABILITY)
            if part.verifier:
                yield name, "verifier", f"{part.judged:,}", *(_figure(part.verifier[own]) for own in _PROBABILITY)

    return table(("rows of", "what", "n", *_words(_PROBABILITY)), lines())


def _gains(evaluation: Evaluation) -> str:
    metrics = ("auroc", "log_loss", "brier", "apgr_10", "apgr_trapezoid")
    return table(
        ("rows of", "baseline", *_words(metrics)),
        (
            (name, baseline, *(_figure(gains[metric]) for metric in metrics))
            for name, part in evaluation.parts.items()
            for baseline, gains in part.gain_over.items()
        ),
    )


def _curves(evaluation: Evaluation) -> str:
    saved = [f"save_at_{target}" for target in SAVE_AT]

    def lines() -> Iterator[tuple[str, ...]]:
        for name, part in evaluation.parts.items():
            for reads, figures in (("prompt", part.predictor), ("answer", part.verifier), ("both", part.both)):
                if figures:
                    yield name, reads, *(_figure(figures[own]) for own in (*_CURVE, *saved))

    return table(("rows of", "reads", *_words(_CURVE), *(f"saved at {target:.0%}" for target in SAVE_AT)), lines())


def _by_source(evaluation: Evaluation) -> str:
    product = evaluation.roster.product

    def lines() -> Iterator[tuple[str, ...]]:
        for name, policies in evaluation.policies.items():
            part, figures = evaluation.parts[name], policies[product].figures
            right = (f"{100 * part.alone.mini_quality:.1f}", f"{100 * part.alone.large_quality:.1f}")
            plans = "/".join(f"{100 * share:.0f}" for share in policies[product].plans.values())
            yield name, f"{part.n:,}", *right, *(_percent(figures[own]) for own in _PERCENT[:2]), plans

    head = ("source", "n", "mini right %", "large right %", "kept %", "saved %", "mini/large/cascade %")
    return table(head, lines())


def _left_out(left_out: Mapping[str, LeftOut]) -> str:
    def lines() -> Iterator[tuple[str, ...]]:
        for name, own in left_out.items():
            widths = (f"{own.interval_width:.3f}", f"{own.interval_width_seen:.3f}", f"{own.interval_width_pooled:.3f}")
            plans = "/".join(f"{100 * share:.0f}" for share in own.product.plans.values())
            figures = (_figure(own.predictor[metric]) for metric in ("auroc", "log_loss", "ece"))
            saved = _percent(own.product.figures["saved_ratio"])
            yield name, f"{own.n:,}", *figures, *widths, plans, saved, _percent(own.quality_gain)

    widths = ("interval width", "same rows, seen", "all rows, seen")
    head = (
        "source",
        "n",
        "auroc",
        "log-loss",
        "ece",
        *widths,
        "mini/large/cascade %",
        "saved %",
        "quality - large, points",
    )
    return table(head, lines())


def _words(names: Iterable[str], suffix: str = "") -> tuple[str, ...]:
    return tuple(name.removesuffix("_ratio").replace("_", " ") + suffix for name in names)


def _figure(figure: Figure) -> str:
    return interval(figure, 1.0, 3)


def _percent(figure: Figure) -> str:
    return interval(figure, 100.0, 1)


def _value(figure: Figure, scale: float, digits: int = 4) -> str:
    return "–" if figure.value is None else f"{scale * figure.value:.{digits}f}"


def _share(part: Figure, whole: Figure) -> str:
    return "–" if part.value is None or not whole.value else f"{100 * part.value / whole.value:.1f}"
