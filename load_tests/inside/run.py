"""One load test in one process: what its users share, and what is kept of their calls."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from load_tests.figures import summary
from load_tests.inside.feed import CaseFeed
from load_tests.rows import CallRow, write_rows
from specroute.load.mix import Mix, builtin_mix, recorded_mix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from load_tests.inside.options import Settings
    from specroute.edge.client.aio import Answered
    from specroute.edge.client.channel import ClientTls
    from specroute.load.cases import Case

WORKER_STRIDE = 1_000_000
"""Users of different workers have different numbers, so that no two share their waits."""


def mix_of(settings: Settings) -> Mix:
    """Returns what is sent.

    Raises:
        OutcomesError: the file of recorded outcomes cannot be used.
    """
    if settings.outcomes is None:
        return builtin_mix(seed=settings.seed)
    return recorded_mix(settings.outcomes, settings.pair, seed=settings.seed)


@dataclass(slots=True)
class Run:
    """What the users of one process share; it begins anew with every test that the web UI starts.

    Attributes:
        server: HOST:PORT; tls: how connections to it are secured.
        rate: requests per second of all users together; users: how many there are at most, of all processes.
        offset: what this process adds to the numbers of its users.
        rows: of the calls of this process, and on a master those of its workers.
        has_ended: whether the test came to its end; false while it runs and where somebody stopped it.
        on_last: called once when ``--requests`` calls are over.
    """

    settings: Settings
    mix: Mix
    server: str
    rate: float
    users: int = 1
    offset: int = 0
    rows: list[CallRow] = field(default_factory=list)
    unsent: list[CallRow] = field(default_factory=list)
    began_s: float = 0.0
    has_ended: bool = False
    is_worker: bool = False
    tls: ClientTls | None = None
    on_last: Callable[[], None] | None = None
    feed: CaseFeed = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forgets all calls and begins the workload again."""
        self.rows.clear()
        self.unsent.clear()
        self.feed = CaseFeed(self.mix.cases, limit=self.settings.requests)
        self.began_s = time.perf_counter()
        self.has_ended = False

    def judge(self, case: Case, answer: Answered) -> tuple[bool | None, bool]:
        """Returns whether ``answer`` is right, ``None`` where nobody grades, and whether it is its tier's own."""
        check = self.settings.check
        graded = case.is_right(answer) if check == "graded" else None
        return graded, check == "none" or case.is_from_its_tier(answer)

    def collected(self, row: CallRow) -> None:
        """Keeps a call, or on a worker keeps it until the next report to the master."""
        (self.unsent if self.is_worker else self.rows).append(row)
        if self.settings.requests is not None and len(self.rows) == self.settings.requests:
            self.has_ended = True
            if self.on_last is not None:
                self.on_last()

    def taken(self) -> list[dict[str, Any]]:
        """Returns the rows of a worker that its master does not know yet, and forgets them."""
        found = [row.to_json() for row in self.unsent]
        self.unsent.clear()
        return found

    def added(self, rows: Sequence[dict[str, Any]]) -> None:
        """Keeps rows of a worker."""
        self.rows += [CallRow.from_json(row) for row in rows]

    def report(self) -> dict[str, Any]:
        """Returns everything that is told of the test so far, as plain values."""
        settings = self.settings
        told = summary(self.rows)
        missed = {str(slo): slo.judge(told["figures"]) for slo in settings.slos}
        return {
            "partial": not self.has_ended,
            "settings": {
                "server": self.server,
                "workload": self.mix.name,
                "users": self.users,
                "rate": self.rate,
                "shape": settings.shape,
                "seed": settings.seed,
                "deadline_s": settings.deadline_s,
                "check": settings.check,
            },
            **told,
            "slos": [{"slo": name, "kept": not said, "said": said} for name, said in missed.items()],
        }

    def write(self) -> dict[str, Any]:
        """Writes report and rows to where they were asked for, and returns the report.

        Raises:
            OSError: a file cannot be written.
        """
        told = self.report()
        if self.settings.report is not None:
            self.settings.report.parent.mkdir(parents=True, exist_ok=True)
            self.settings.report.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
        if self.settings.rows is not None:
            write_rows(self.settings.rows, self.rows)
        return told
