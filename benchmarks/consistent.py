"""Prints what the validator ``consistent`` makes of recorded answers: how often it is wrong, and how much it catches.

Usage: ``python -m benchmarks.consistent --outcomes FILE`` (default: SPECROUTE_OUTCOMES)

Of every source with answers: the share that it can say something of, the share of correct answers that it rejects, and
the share of wrong ones; both by reason. Intervals are of 95 %. Last, what judging an answer takes.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from benchmarks.shares import Share, outcomes_of
from specroute.core.outcome import Completion, FinishReason, VerdictKind
from specroute.core.request import Message, Role, RouteRequest
from specroute.validators.quality.consistent import Consistent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.core.outcome import Verdict
    from specroute.learn.dataset import Outcome

Judged = tuple[bool, "Verdict"]


def main() -> None:
    """Prints one line per source."""
    rows = [row for row in outcomes_of("What the validator consistent makes of recorded answers.") if row.mini_response]
    began_s = time.perf_counter()
    judged = {id(row): _verdict(row) for row in rows}
    spent_us = (time.perf_counter() - began_s) * 1e6
    width = max(len(_name(row)) for row in rows)
    print(f"{'':{width}} {'answers':>7} {'with a check':>26} {'correct, rejected':>24} {'wrong, rejected':>26}")
    for name in sorted({_name(row) for row in rows}):
        _line(f"{name:{width}}", [(row.mini_correct, judged[id(row)]) for row in rows if _name(row) == name])
    _line(f"{'all':{width}}", [(row.mini_correct, judged[id(row)]) for row in rows])
    length = sum(len(row.mini_response or "") for row in rows) / len(rows)
    print(f"{spent_us / len(rows):.0f} us an answer of {length:.0f} characters on average")


def _name(row: Outcome) -> str:
    return f"{row.source} {row.pair.partition('|')[0]}"


def _verdict(row: Outcome) -> Verdict:
    request = RouteRequest("", (Message(Role.USER, row.prompt),))
    return Consistent().judge(request, Completion(row.mini_response or "", (), FinishReason.STOP, ""))


def _line(name: str, judged: Sequence[Judged]) -> None:
    checked = Share(sum(verdict.kind is not VerdictKind.ABSTAIN for _, verdict in judged), len(judged))
    cells, reasons = [], []
    for correct in (True, False):
        mine = [verdict for is_correct, verdict in judged if is_correct == correct]
        rejected = Counter(verdict.reason for verdict in mine if verdict.kind is VerdictKind.REJECT)
        cells.append(Share(rejected.total(), len(mine)))
        reasons.append(" ".join(f"{reason} {count}" for reason, count in sorted(rejected.items())) or "none")
    print(f"{name} {len(judged):7,} {checked!s:>26} {cells[0]!s:>24} {cells[1]!s:>26}  ({' | '.join(reasons)})")


if __name__ == "__main__":
    main()
