"""What a comparison found: a summary per policy and source, and one decision in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from specroute.core.outcome import AttemptEnd
from specroute.core.plan import PlanKind
from specroute.demo.figures import NANO_USD, POOLED, escalated, sources, summarise
from specroute.demo.policies import BASELINE, DIRECT_LARGE, DIRECT_MINI, PRIOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from specroute.demo.figures import Summary
    from specroute.demo.run import Demo, PolicyRun, Result
    from specroute.edge.client.aio import Receipt

SIMULATED, RECORDED = "simulated tiers", "recorded outcomes"

_NOTES = {
    SIMULATED: (
        "Answers, their speed and their mistakes are simulated: what this shows is the mechanism, not the saving. "
        "That depends on your models and your traffic."
    ),
    RECORDED: (
        "Every answer is a recorded one and every grade its source's own; what was not delivered counts as wrong. "
        "Tokens are the recorded ones, at list prices. Most latencies come from a profile, so which leg of a race is "
        "first is partly simulated. Intervals: 95 %, bootstrap by prompt."
    ),
}


@dataclass(frozen=True, slots=True)
class Explained:
    """One request of the comparison: ``words`` say what was done, a line each."""

    policy: str
    prompt: str
    answered_by: str
    answer: str
    words: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is told of one comparison.

    Attributes:
        kind: ``SIMULATED`` or ``RECORDED``; the heading.
        setting: one line that says how it was run.
        summaries: by source, pooled last, then in the order of the policies.
        not_from_tier: delivered answers, of all policies, that are not what the named tier said; not 0: a bug.
        is_whole: false where it was stopped before its end.
    """

    kind: str
    setting: str
    summaries: tuple[Summary, ...]
    explained: Explained | None
    not_from_tier: int
    is_whole: bool

    @property
    def note(self) -> str:
        """What the figures do and do not say."""
        return _NOTES[self.kind]

    def to_json(self) -> dict[str, Any]:
        """Returns all of it as plain values; money in US dollars."""
        return {
            "kind": self.kind,
            "note": self.note,
            "setting": self.setting,
            "complete": self.is_whole,
            "not_from_tier": self.not_from_tier,
            "summaries": [_plain(summary) for summary in self.summaries],
            "explained": None if self.explained is None else asdict(self.explained),
        }


def build_report(demo: Demo, kind: str) -> Report:
    """Returns the report of what has been run so far."""
    options = demo.options
    cuts = f"mini alone from p {DIRECT_MINI:g}, large alone to p {DIRECT_LARGE:g}"
    scored = f"model {options.model}" if options.model is not None else f"no model, every p is {PRIOR:g}"
    pace = "" if options.speed == 1.0 else f"; the tiers' delays are divided by {options.speed:g}"
    return Report(
        kind=kind,
        setting=(
            f"{len(demo.cases)} requests per policy over gRPC, {options.concurrency} at a time, deadline "
            f"{options.deadline_s:g} s, seed {options.seed}{pace}; {scored}; {cuts}"
        ),
        summaries=tuple(_summaries(demo, kind)),
        explained=_explained(demo.runs),
        not_from_tier=sum(not result.is_from_its_tier for run in demo.runs for result in run.results.values()),
        is_whole=len(demo.runs) == len(demo.policies) and all(run.is_whole for run in demo.runs),
    )


def _summaries(demo: Demo, kind: str) -> Iterator[Summary]:
    baseline = next((run for run in demo.runs if run.policy == BASELINE), None)
    sizes = Counter(case.source for case in demo.cases)
    by_source = sources(demo.runs) if kind == RECORDED else []
    for source in (*by_source, POOLED):
        cases = len(demo.cases) if source == POOLED else sizes[source]
        for run in demo.runs:
            summary = summarise(run, baseline=baseline, source=source, cases=cases, seed=demo.options.seed)
            if summary is not None:
                yield summary


def _explained(runs: Sequence[PolicyRun]) -> Explained | None:
    """Returns the request that shows most of what happens, the last policy first."""
    best: tuple[int, PolicyRun, Result] | None = None
    for run in reversed(runs):
        for _, result in sorted(run.results.items()):
            worth = 0 if result.receipt is None or result.answer is None else _worth_telling(result.receipt)
            if worth > (best[0] if best else 0):
                best = worth, run, result
    if best is None:
        return None
    _, run, result = best
    answer, receipt = result.answer, result.receipt
    assert answer is not None
    assert receipt is not None
    calls = "; ".join(f"{call.name}({call.arguments_json})" for call in answer.tool_calls)
    prompt = result.case.request.last_user_text
    return Explained(run.policy, prompt, answer.tier, answer.text or calls, receipt.in_words())


def _worth_telling(receipt: Receipt) -> int:
    ends = {attempt.end for attempt in receipt.attempts}
    if receipt.plan is PlanKind.RACE and AttemptEnd.REJECTED in ends:
        return 4
    if receipt.plan is PlanKind.RACE and AttemptEnd.CANCELLED in ends:
        return 3
    return 2 if escalated(receipt) else 1


def _plain(summary: Summary) -> dict[str, Any]:
    figures = {
        name: None if figure is None else figure.to_json()
        for name, figure in (
            ("quality", summary.quality),
            ("retention", summary.retention),
            ("saved_ratio", summary.saved),
        )
    }
    return {
        "policy": summary.policy,
        "source": summary.source,
        "cases": summary.cases,
        "results": summary.results,
        **figures,
        "delivered_usd": summary.delivered_nano_usd / NANO_USD,
        "burnt_usd": summary.burnt_nano_usd / NANO_USD,
        "latency_s": {"p50": round(summary.p50_s, 6), "p99": round(summary.p99_s, 6)},
        "deadline_hits": summary.deadline_hits,
        "errors": dict(summary.errors),
        "plans": dict(summary.plans),
        "answered_by": dict(summary.answered_by),
        "escalations": summary.escalations,
        "rejected": dict(summary.rejected),
        "not_from_tier": summary.not_from_tier,
    }
