"""Writes the measured part of a model card: out of fold, left-out sources, the test file, intents, verifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specroute.learn.training.writing.tables import number, percent, table, with_interval

if TYPE_CHECKING:
    from specroute.predictor.artifact import Manifest

_METHODS = {
    "model": "this model",
    "source_mean": "mean per source",
    "subject_mean": "mean per source and subject",
    "length": "length only",
    "shuffle": "this model, shuffled",
}
_METRICS = ("auroc", "log_loss", "brier", "ece", "apgr_deciles")


def results(manifest: Manifest) -> tuple[str, ...]:
    """Returns the sections."""
    metrics = manifest.metrics
    return (
        _out_of_fold(metrics["out_of_fold"], metrics["interval"]),
        _left_out(metrics["left_out"], metrics["interval"]),
        _test(metrics["test"]),
        _intents(metrics["intents"]),
        _verifier(manifest),
    )


def _out_of_fold(parts: dict[str, Any], interval: dict[str, Any]) -> str:
    rows = [
        (
            name,
            f"{part['rows']:,}",
            percent(part["mean"]),
            number(part["auroc"]),
            number(part["log_loss"], ".4f"),
            number(part["log_loss_of_mean"], ".4f"),
            number(part["ece"]),
            number(part["apgr_deciles"]),
        )
        for name, part in parts.items()
    ]
    head = ("source", "rows", "acceptable", "AUROC", "log-loss", "of the mean", "ECE", "APGR")
    return f"""
## Out of fold

Every row by models that did not see its group, calibrated. "Of the mean": the log-loss of knowing the part's own mean.
APGR: ranked by the worth of a large call, 10 quantile bins. ECE: 15 bins of equal mass.

{table(head, rows)}

The interval covers the observed frequency of {percent(interval["coverage"])} of rows, in bins of equal mass within each
source (meant: {percent(interval["intended_coverage"])}, the bins' own sampling noise included); its median width is
{interval["median_width"]:.2f}. Median novelty {interval["novelty"]["median"]:.2f}, 95th percentile
{interval["novelty"]["p95"]:.2f}.
"""


def _left_out(items: list[dict[str, Any]], interval: dict[str, Any]) -> str:
    if not items:
        return ""
    rows = [
        (
            item["source"],
            f"{item['rows']:,}",
            f"{item['predicted']:.2f} / {item['observed']:.2f}",
            number(item["auroc"]),
            number(item["log_loss"]),
            number(item["ece"]),
            f"{item['median_novelty_seen']:.2f} -> {item['median_novelty']:.2f}",
            f"{item['median_width_seen']:.2f} -> {item['median_width']:.2f}",
            f"{percent(item['share_of_p_low_above_seen'])} -> {percent(item['share_of_p_low_above'])}",
            percent(item["coverage"]),
        )
        for item in items
    ]
    head = ("source", "rows", "predicted / observed", "AUROC", "log-loss", "ECE", "novelty", "width", "p_low >= .85")
    return f"""
## Sources left out

Each source in turn is left out of everything, under every pair, with whatever is a near-duplicate of its rows.
"Seen -> left out" for novelty, the width of the interval, and the share of rows whose lower end would allow sending to
the mini directly. Half-widths in log-odds: {interval["known_half_width"]:.2f} at novelty 0,
{interval["novel_half_width"]:.2f} at novelty 1.

{table((*head, "covered"), rows)}
"""


def _test(test: dict[str, Any] | None) -> str:
    if test is None:
        return (
            "## Results\n\nNo test file was given; train with `--test FILE` to measure the model beside its baselines."
        )
    rows = [
        (source, f"{count:,}", name, *(with_interval(test["figures"][method][source][metric]) for metric in _METRICS))
        for source, count in test["rows"].items()
        for method, name in _METHODS.items()
    ]
    gains = [
        (source, _METHODS[baseline], *(with_interval(figures[metric], "+.3f") for metric in ("auroc", "log_loss")))
        for baseline, parts in test["gain_over"].items()
        for source, figures in parts.items()
    ]
    return f"""
## Results

On the test file's {test["rows"]["pooled"]:,} rows of the pair (hash `{test["sha256"][:16]}`), with 95 % intervals from
1,000 resamples of whole groups. The pooled AUROC is raised by differences between sources; read it beside each source.
Resampling adds noise to ECE, so that its interval lies high. The interval of a prediction covers the observed frequency
of {percent(test["covered"])} of these rows, in bins of equal mass within each source.

{table(("source", "rows", "method", "AUROC", "log-loss", "Brier", "ECE", "APGR"), rows)}

This model less a baseline, resampled together (AUROC: above 0 is better; log-loss: below 0):

{table(("source", "baseline", "AUROC", "log-loss"), sorted(gains))}
"""


def _intents(intents: dict[str, Any] | None) -> str:
    if intents is None:
        return ""
    parts = []
    for head in (name for name in ("task_type", "risk", "risk_domain") if name in intents):
        item = intents[head]
        rows = [
            (
                name,
                f"{figures['prompts']:,}",
                with_interval(figures["recall"], ".2f"),
                with_interval(figures["recall_named"], ".2f"),
                with_interval(figures["precision_named"], ".2f"),
            )
            for name, figures in item["classes"].items()
        ]
        names = list(item["classes"])
        confusion = [(name, *(str(count) for count in row)) for name, row in zip(names, item["confusion"], strict=True)]
        parts.append(
            f"### {head}\n\nLikeliest class right: {with_interval(item['accuracy'], '.2f')}; English "
            f"{with_interval(item['accuracy_english'], '.2f')}, other languages "
            f"{with_interval(item['accuracy_other_languages'], '.2f')}. Named: {with_interval(item['named'], '.2f')}, "
            f"right where named: {with_interval(item['accuracy_where_named'], '.2f')}.\n\n"
            + table(("class", "prompts", "recall", "recall, named", "precision, named"), rows)
            + "\n\nConfusion, rows are the truth:\n\n"
            + table(("", *names), confusion)
        )
    prompts = intents["prompts"]
    return (
        f"## What a request is\n\nMeasured on {prompts['test']:,} prompts by other authors than the "
        f"{prompts['train']:,} that were learnt from, in several languages; intervals are exact (Clopper and Pearson). "
        'A class is named only above its cut; else the service is told "". To miss a high risk is the worst error: see '
        "its recall.\n\n" + "\n\n".join(parts)
    )


def _verifier(manifest: Manifest) -> str:
    verifier = manifest.verifier
    if verifier is None:
        return ""
    by_source = verifier["metrics"].get("by_source", {})
    rows = [
        (
            source,
            f"{item['rows']:,}",
            percent(item["acceptable"]),
            percent(item["abstained"]),
            *(number(item[name]) for name in ("auroc", "log_loss", "brier", "ece")),
        )
        for source, item in by_source.items()
    ]
    points = [
        (
            kind,
            f"{point['rows']:,}",
            number(point["sensitivity"]),
            number(point["specificity"]),
            percent(point["abstained"]),
        )
        for kind, point in verifier["operating_points"].items()
    ]
    head = ("source", "rows", "acceptable", "abstained", "AUROC", "log-loss", "Brier", "ECE")
    return f"""
## Verifier

P(the mini's answer is acceptable | prompt, answer, what is known of its log-probabilities), out of fold, learnt from
{verifier["rows"]:,} answers of the mini and {verifier["auxiliary_rows"]:,} of other models. "Pooled" leaves out answers
of which only the confidence was recorded.

{table(head, rows)}

What the cut {verifier["min_p"]:g} does to each kind of answer:

{table(("kind", "rows", "sensitivity", "specificity", "abstained"), points)}

It abstains on open-ended tasks (no grade of such answers was learnt from), on empty answers, on a fault of its own, and
on an answer further than {verifier["novelty_limit"]:.2f} from all that it learnt from. Parity with the training
framework: {verifier["parity_max_abs_error"]:.1e}.
"""
