"""A run as one HTML page that needs nothing else: no script, no font, no request to anywhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from specroute.learn.evaluation.report.markup import picture, table, whole_page
from specroute.tuning.findings import Answer
from specroute.tuning.recommended.words import DASH
from specroute.tuning.report.prose import METHOD, POLICIES
from specroute.tuning.report.rows import (
    FRONT_HEAD,
    SPAN_WORDS,
    front_rows,
    optimum_rows,
    policy_head,
    policy_rows,
    settings_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from specroute.learn.evaluation.report.canvas import Chart
    from specroute.tuning.findings import Found
    from specroute.tuning.report.run import Run


def page(run: Run, charts: Sequence[Chart]) -> str:
    """Returns the page. All that comes from the data is escaped."""
    return whole_page(f"specroute tune: {run.pair}", _body(run, charts))


def _body(run: Run, charts: Sequence[Chart]) -> Iterator[str]:
    found = run.found
    is_on = found is not None and found.advice.answer is Answer.ROUTE
    yield f"<h1>Tuned: {escape(run.pair)}, {run.targets.mode.value}</h1>"
    yield f'<p class="advice {"on" if is_on else "off"}">{escape(run.headline)}</p>'
    yield _list(run.reasons)
    yield f"<p>{escape(_facts(run))}</p>"
    if found is not None:
        yield from _found(found, charts)
    yield from _certified(run)
    yield from _recommended(run)
    yield from _confirmation(run)
    yield "<h2>How it was measured</h2>"
    yield from (f"<p><b>{escape(word)}</b> {escape(meaning)}</p>" for word, meaning in METHOD)
    yield f"<h2>Reproduce</h2><pre>{escape(run.command)}</pre>"
    if found is not None:
        yield f"<p>data sha256 <code>{escape(found.data_sha256)}</code></p>"


def _facts(run: Run) -> str:
    targets = run.targets
    bound = "" if targets.p99_bound is None else f", p99 at most {targets.p99_bound:g} of always-large's"
    deadline = "" if targets.deadline_s is None else f", deadline {targets.deadline_s:g} s"
    value = f", {targets.latency_value_usd_per_s:g} USD for a second" if targets.latency_value_usd_per_s else ""
    asked = f"Targets: at most {targets.max_quality_loss:.2%} of quality lost{bound}{deadline}{value}."
    left_out = f" {run.left_out:,} rows of the pair without both answers and grades were left out."
    if run.found is None:
        return asked + left_out
    found = run.found
    return (
        f"{asked} Tuned on {found.n_tuning:,} rows, measured on {found.n_holdout:,} others; model "
        f"{found.model_version}.{left_out} Latencies: {found.latency}."
    )


def _found(found: Found, charts: Sequence[Chart]) -> Iterator[str]:
    yield "<h2>Policies</h2>"
    yield from (picture(chart) for chart in charts)
    yield table(policy_head(found), policy_rows(found))
    yield "<p>x: share of always-large's. burnt: share of the money for answers that were not delivered.</p>"
    yield _list(f"{word}: {meaning}" for word, meaning in POLICIES)
    yield "<h3>What they do</h3>" + table(("policy", "setting"), settings_rows(found))
    if (own := found.shuffle) is not None:
        told = (
            f"Its own decisions dealt out at random, {own.permutations:,} times: 95 % of them are right in "
            f"{100 * own.quality_lo:.1f} to {100 * own.quality_hi:.1f} %; p = {own.p_value:.4f} that one does as well."
        )
        yield f"<p>{escape(told)}</p>"
    yield "<h2>The front</h2><p>No other setting of the search is better in money, tail and quality at once.</p>"
    yield table(FRONT_HEAD, front_rows(found))
    yield f"<h2>Where the optimum lies</h2><p>Best of {found.optimum.candidates:,} settings on the tuning rows.</p>"
    spans = ((SPAN_WORDS.get(name, name), chosen, span) for name, chosen, span in optimum_rows(found))
    yield table(("what", "chosen", "95 % of resamples"), spans)
    if found.optimum.missed:
        yield _list(f"{target}: {how}" for target, how in found.optimum.missed.items())


def _certified(run: Run) -> Iterator[str]:
    if run.found is None:
        return
    yield "<h2>Certificate</h2>"
    if run.found.certified is not None:
        yield f"<p>{escape(run.found.certified.certificate.statement)}</p>"
    yield f"<p>{escape(run.certificate)}</p>"


def _recommended(run: Run) -> Iterator[str]:
    if run.recommendation is None:
        return
    own = run.found.certified if run.found is not None else None
    label = "certified" if own is not None and own.covers_recommended else "tuned and measured, not certified"
    yield f"<h2>Recommended configuration ({label})</h2>"
    yield f"<pre>{escape(run.recommendation.diff)}</pre>"


def _confirmation(run: Run) -> Iterator[str]:
    confirmation = run.confirmation
    if confirmation is None or not confirmation.rows:
        return
    yield f"<h2>Confirmation</h2><p>{escape(confirmation.how)}</p>"
    head = ("policy", "by", "rows", "quality", "USD per 1,000", "p50 s", "p99 s", "plans as predicted")
    yield table(head, ((name, by, *(cell or DASH for cell in cells)) for name, by, *cells in confirmation.cells()))
    agreed = "Search, engine and live service agree within the bounds of this page."
    yield _list(confirmation.disagreements or (agreed,))


def _list(items: Iterator[str] | Sequence[str]) -> str:
    lines = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<ul>{lines}</ul>" if lines else ""
