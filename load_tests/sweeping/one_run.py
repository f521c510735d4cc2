"""One point once: a service with the point's configuration, and Locust as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from load_tests.rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from load_tests.rows import CallRow

ROOT = Path(__file__).resolve().parent.parent.parent
SLACK_S = 60.0
USERS_PER_RATE = 10
"""Users for each request per second: few of them are still busy when they should send again."""


class RunFailed(Exception):
    """Locust did not leave a report; the message is one line with its last words."""


@dataclass(frozen=True, slots=True)
class Load:
    """How much is sent.

    Attributes:
        rate: requests per second of the wall clock, > 0.
        requests: how many in one run; every run of one seed sends the same ones.
        users: at most so many are in flight.
    """

    rate: float
    requests: int
    users: int
    deadline_s: float = 60.0
    outcomes: Path | None = None
    pair: str = "gpt-4o-mini|gpt-4o"
    user_class: str = "RouteUser"

    @classmethod
    def lasting(cls, run_time_s: float, rate: float, **others: Any) -> Load:
        """Returns as many requests as ``rate`` makes in ``run_time_s``."""
        return cls(rate, max(1, round(run_time_s * rate)), max(20, round(USERS_PER_RATE * rate)), **others)

    def command(self, server: str, *, seed: int, report: Path, rows: Path) -> list[str]:
        """Returns Locust's command line."""
        limit_s = round(self.requests / self.rate + SLACK_S)
        workload = [] if self.outcomes is None else ["--outcomes", str(self.outcomes), "--pair", self.pair]
        return [
            sys.executable, "-m", "locust", "-f", str(ROOT / "load_tests" / "locustfile.py"), "--headless",
            "-u", str(self.users), "-r", str(self.users), "-t", f"{limit_s}s", "--host", server, "--only-summary",
            "--rate", repr(self.rate), "--requests", str(self.requests), "--seed", str(seed),
            "--deadline", repr(self.deadline_s), "--slo", "error_ratio<=1", "--report", str(report),
            "--rows", str(rows), *workload, self.user_class,
        ]  # fmt: skip


def run_locust(load: Load, server: str, *, seed: int, folder: Path) -> tuple[dict[str, Any], Sequence[CallRow]]:
    """Runs Locust to its end and returns its report and its rows.

    Raises:
        RunFailed: there is no report, or it is partial.
    """
    report, rows, log = folder / "report.json", folder / "rows.jsonl", folder / "locust.log"
    for old in (report, rows):
        old.unlink(missing_ok=True)
    command = load.command(server, seed=seed, report=report, rows=rows)
    with log.open("wb") as said:
        # A session of its own: Ctrl-C reaches the sweep, which then decides what becomes of this run.
        process = subprocess.Popen(
            command, stdout=said, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True, env=dict(os.environ)
        )
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGKILL)
            process.wait()
            raise
    if code != 0 or not report.is_file():
        words = (log.read_text("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
        raise RunFailed(f"Locust ended with {code}: {words}")
    told = orjson.loads(report.read_bytes())
    if told["partial"]:
        raise RunFailed(f"Locust stopped after {load.requests / load.rate + SLACK_S:.0f} s with requests left to send")
    return told, read_rows(rows)
