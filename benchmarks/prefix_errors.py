"""How early the beginning of an answer decides, and how often wrongly, on recorded outcomes.

    python -m benchmarks.prefix_errors --outcomes FILE [--answers N] [--json]

Each recorded answer is read as a stream of tokens (4 characters), and every check reviews it as the engine does. Per
check and source: after how many characters and tokens (UTF-8 bytes / 4) it settles, how many answers settle before
their end, how many are rejected before it, and how many of those the judgement of the whole answer accepts: the errors,
with the exact binomial 95 % interval of their ratio. ``us/read``: the mean time of one review.

FILE is a table of outcomes with the columns ``source`` and ``mini_response`` or ``large_response`` (text), and
optionally ``output_format``: what begins with ``json`` was asked for as a JSON object, ``tool_calls`` is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binomtest

from specroute.core.outcome import Completion, FinishReason, Prefix
from specroute.core.request import JsonObjectOutput, Message, Output, Role, RouteRequest, TextOutput, utf8_length
from specroute.learn.readers import OutcomesError, read_rows
from specroute.validators.judge import ConfiguredValidator, judge
from specroute.validators.prefix import PrefixReview, PrefixState
from specroute.validators.registry import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKS = ("not_refusal", "output_contract", "not_repetitive", "same_script")
RESPONSES = ("mini_response", "large_response")
COLUMNS = ("source", "prompt", "output_format", *RESPONSES)
TOKEN_CHARACTERS = 4
ALL = "all"


@dataclass(frozen=True, slots=True)
class Answer:
    """A recorded answer, and what it answers."""

    source: str
    kind: str
    request: RouteRequest
    text: str


@dataclass(slots=True)
class Tally:
    """What one check did to the answers of one source."""

    answers: int = 0
    settled_characters: list[int] = field(default_factory=list)
    settled_tokens: list[int] = field(default_factory=list)
    early: int = 0
    rejected: int = 0
    errors: int = 0
    reads: int = 0
    read_ns: int = 0

    def add(self, other: Tally) -> None:
        """Adds what the check did to other answers."""
        self.answers += other.answers
        self.settled_characters += other.settled_characters
        self.settled_tokens += other.settled_tokens
        self.early += other.early
        self.rejected += other.rejected
        self.errors += other.errors
        self.reads += other.reads
        self.read_ns += other.read_ns

    def row(self) -> dict[str, float | int | None]:
        """Returns the figures of the table; ``None`` where there is nothing to count."""
        interval = binomtest(self.errors, self.rejected).proportion_ci(method="exact") if self.rejected else None
        return {
            "answers": self.answers,
            "settled_characters_p50": _percentile(self.settled_characters, 50),
            "settled_characters_p99": _percentile(self.settled_characters, 99),
            "settled_tokens_p50": _percentile(self.settled_tokens, 50),
            "settled_tokens_p99": _percentile(self.settled_tokens, 99),
            "settled_early_ratio": self.early / self.answers,
            "rejected_early": self.rejected,
            "errors": self.errors,
            "error_ratio_low": None if interval is None else float(interval.low),
            "error_ratio_high": None if interval is None else float(interval.high),
            "us_per_read": self.read_ns / self.reads / 1e3 if self.reads else None,
        }


def answers_of(path: Path) -> Iterator[Answer]:
    """Yields the recorded answers of a file, but those that are tool calls."""
    for row in read_rows(path, COLUMNS):
        form = str(row.get("output_format") or "")
        if form == "tool_calls":
            continue
        output: Output = JsonObjectOutput() if form.startswith("json") else TextOutput()
        request = RouteRequest("", (Message(Role.USER, str(row.get("prompt") or "")),), output=output)
        for column in RESPONSES:
            if text := row.get(column):
                yield Answer(str(row.get("source") or ALL), output.kind, request, str(text))


def review(check: ConfiguredValidator, answer: Answer) -> Tally:
    """Reads one answer token by token until the check settles, rejects, or the answer ends."""
    tally = Tally(answers=1)
    reviewed = PrefixReview((check,), answer.request)
    for end in range(TOKEN_CHARACTERS, len(answer.text) + TOKEN_CHARACTERS, TOKEN_CHARACTERS):
        if not reviewed.due(min(end, len(answer.text))):
            continue
        prefix = Prefix(answer.text[:end])
        started = time.perf_counter_ns()
        state = reviewed.read(prefix)
        tally.read_ns += time.perf_counter_ns() - started
        tally.reads += 1
        if state is PrefixState.SETTLED:
            tally.settled_characters.append(len(prefix.text))
            tally.settled_tokens.append(-(-utf8_length(prefix.text) // TOKEN_CHARACTERS))
            tally.early = int(end < len(answer.text))
            break
        if state is PrefixState.REJECTED:
            if end < len(answer.text):
                tally.rejected = 1
                completion = Completion(answer.text, (), FinishReason.STOP, "")
                tally.errors = int(judge((check,), answer.request, completion).accepted)
            break
    return tally


def measure(path: Path, most: int | None) -> dict[tuple[str, str], Tally]:
    """Returns the tallies by check and source."""
    tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)
    answers = list(answers_of(path))
    step = max(1, len(answers) // most) if most else 1
    for name in CHECKS:
        check = ConfiguredValidator(BUILT_IN[name]())
        for answer in answers[::step]:
            tally = review(check, answer)
            for source in (f"{answer.source} {answer.kind}", ALL):
                tallies[name, source].add(tally)
    return tallies


def _percentile(values: list[int], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None


def _cells(row: dict[str, float | int | None]) -> str:
    def number(key: str, form: str) -> str:
        value = row[key]
        return "-" if value is None else format(value, form)

    characters = f"{number('settled_characters_p50', '.0f')} / {number('settled_characters_p99', '.0f')}"
    tokens = f"{number('settled_tokens_p50', '.0f')} / {number('settled_tokens_p99', '.0f')}"
    errors = f"{number('rejected_early', ',')} {number('errors', ',')}"
    interval = f"{number('error_ratio_low', '.2%')} to {number('error_ratio_high', '.2%')}"
    return (
        f"{number('answers', ','):>8} {characters:>12} {tokens:>10} {number('settled_early_ratio', '.1%'):>8}"
        f" {errors:>10} {interval if row['rejected_early'] else '-':>18} {number('us_per_read', '.1f'):>8}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    set_path = os.environ.get("SPECROUTE_OUTCOMES")
    default = Path(set_path) if set_path else None
    parser.add_argument(
        "--outcomes", type=Path, default=default, required=default is None, metavar="FILE",
        help="recorded outcomes; default: $SPECROUTE_OUTCOMES",
    )  # fmt: skip
    parser.add_argument("--answers", type=int, metavar="N", help="about how many answers to read; default: all")
    parser.add_argument("--json", action="store_true", help="print rows for machines")
    arguments = parser.parse_args()
    try:
        tallies = measure(arguments.outcomes, arguments.answers)
    except OutcomesError as error:
        sys.exit(str(error))
    rows = {key: tally.row() for key, tally in tallies.items()}
    if arguments.json:
        print(json.dumps([{"check": check, "source": source, **row} for (check, source), row in rows.items()]))
        return
    print(
        f"{'check':16} {'source, form':30} {'answers':>8} {'chars 50/99':>12} {'tok 50/99':>10} {'settled':>8}"
        f" {'rej. wrong':>10} {'wrong, 95 %':>18} {'us/read':>8}"
    )
    for (check, source), row in sorted(rows.items(), key=lambda item: (CHECKS.index(item[0][0]), item[0][1])):
        print(f"{check:16} {source:30} {_cells(row)}")


if __name__ == "__main__":
    main()
