"""What was predicted, replayed and seen live of each finalist, side by side, and where they disagree."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_QUALITY_APART = 0.01
MOST_RATIO_APART = 0.10


@dataclass(frozen=True, slots=True)
class Call:
    """What became of one request.

    Attributes:
        prompt: which; never shown.
        plan: direct, cascade, hedge, race; "": nothing was decided.
        tier: whose answer was delivered; "": none.
        latency_s: as if the tiers had run at their own pace.
        late_s: how much later than intended it was sent, likewise; 0 in a replay.
    """

    prompt: str
    plan: str
    tier: str
    is_right: bool
    cost_usd: float
    latency_s: float
    late_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of the same policy from one way of measuring it.

    Attributes:
        n: rows.
        failed: of them without an answer.
    """

    n: int
    quality: float
    cost_usd: float
    p50_s: float
    p99_s: float
    failed: int = 0

    @classmethod
    def of(cls, calls: Sequence[Call]) -> Measured | None:
        """Returns the figures of ``calls``; ``None``: there are none."""
        if not calls:
            return None
        p50_s, p99_s = np.quantile([call.latency_s for call in calls], [0.5, 0.99])
        return cls(
            n=len(calls),
            quality=float(np.mean([call.is_right for call in calls])),
            cost_usd=float(np.mean([call.cost_usd for call in calls])),
            p50_s=float(p50_s),
            p99_s=float(p99_s),
            failed=sum(not call.tier for call in calls),
        )


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One finalist.

    Attributes:
        predicted: by the search.
        replayed: by the engine on the virtual clock, all rows.
        replayed_again: of it, the requests that were sent live; ``live``: those, over sockets.
        same_plans: share of the live requests with the plan that the replay gave them; ``None``: nothing live.
    """

    name: str
    predicted: Measured
    replayed: Measured | None
    replayed_again: Measured | None
    live: Measured | None
    same_plans: float | None

    @classmethod
    def of(cls, name: str, predicted: Measured, replayed: Sequence[Call], live: Sequence[Call]) -> Confirmed:
        """Compares live calls with the replayed ones of the same prompts; of rows with one prompt the first counts."""
        by_prompt: dict[str, Call] = {}
        for call in replayed:
            by_prompt.setdefault(call.prompt, call)
        pairs = [(call, by_prompt[call.prompt]) for call in live if call.prompt in by_prompt]
        again = [twin for _, twin in pairs]
        same = float(np.mean([call.plan == twin.plan for call, twin in pairs])) if pairs else None
        return cls(name, predicted, Measured.of(replayed), Measured.of(again), Measured.of(live), same)

    def measured(self) -> Iterator[tuple[str, Measured]]:
        """Yields the ways in which it was measured, by name."""
        ways = (("search", self.predicted), ("engine", self.replayed))
        live = (("engine, sent live", self.replayed_again), ("live", self.live))
        for name, own in (*ways, *live):
            if own is not None:
                yield name, own

    def disagreements(self) -> Iterator[str]:
        """Yields a sentence for each thing in which two ways disagree."""
        if self.replayed is not None:
            yield from _apart(self.name, ("the search", self.predicted), ("the engine", self.replayed))
        if self.live is None or self.replayed_again is None:
            return
        yield from _apart(self.name, ("the engine", self.replayed_again), ("the live service", self.live))
        if self.live.failed:
            yield f"{self.name}: {self.live.failed} of {self.live.n} live requests had no answer."
        if self.same_plans is not None and self.same_plans < 1.0:
            yield f"{self.name}: {self.same_plans:.1%} of the live requests got the plan that the engine gave them."


def _apart(name: str, first: tuple[str, Measured], second: tuple[str, Measured]) -> Iterator[str]:
    (one, own), (other, seen) = first, second
    if abs(own.quality - seen.quality) > MOST_QUALITY_APART:
        yield f"{name}: {own.quality:.1%} right by {one}, {seen.quality:.1%} by {other}."
    for what, before, after, unit in (
        ("p50", own.p50_s, seen.p50_s, "s"),
        ("money per 1,000", 1000.0 * own.cost_usd, 1000.0 * seen.cost_usd, "USD"),
    ):
        if abs(after - before) > MOST_RATIO_APART * before:
            yield f"{name}: {what} {before:.2f} {unit} by {one}, {after:.2f} {unit} by {other}."


@dataclass(frozen=True, slots=True)
class Confirmation:
    """All finalists.

    Attributes:
        rows: in the order in which they are told.
        how: in one line, how it was done.
        notes: what limits it, a sentence each.
    """

    rows: tuple[Confirmed, ...]
    how: str
    notes: tuple[str, ...] = ()

    @property
    def disagreements(self) -> tuple[str, ...]:
        """What the ways of measuring disagree about, and what limits them; a sentence each."""
        found = (f"Not confirmed: {line}" for row in self.rows for line in row.disagreements())
        return (*found, *self.notes)

    def cells(self) -> Iterator[tuple[str, ...]]:
        """Yields the lines of a table: policy, way, rows, quality, money, p50, p99, share of plans; "" for nothing."""
        for row in self.rows:
            for number, (way, own) in enumerate(row.measured()):
                same = f"{row.same_plans:.1%}" if way == "live" and row.same_plans is not None else ""
                figures = (f"{own.quality:.1%}", f"{1000.0 * own.cost_usd:.3f}", f"{own.p50_s:.2f}", f"{own.p99_s:.2f}")
                yield "" if number else row.name, way, f"{own.n:,}", *figures, same

    def to_json(self) -> dict[str, Any]:
        """Returns all of it as plain values."""
        return {
            "how": self.how,
            "disagreements": list(self.disagreements),
            "policies": {row.name: asdict(row) for row in self.rows},
        }
