"""How long until the first useful token: recorded answers through the real router, streamed in every delivery mode.

Planner, predictor, validators, executor and ledger are the service's own; only the clock is virtual, and the tiers
stream recorded answers token by token under a stated latency model. Quality is the recorded grade of what was
delivered. Needs the extra ``specroute[train]`` and a Parquet file of recorded outcomes.

    python -m benchmarks.delivery --outcomes "$SPECROUTE_OUTCOMES" [--pair 'gpt-4o-mini|gpt-4o'] [--markdown]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.delivery_cases import CHARACTERS_PER_TOKEN, LOOP_TOKENS, damaged, read_cases
from benchmarks.delivery_figures import by_kind, summarise, to_json, under_stress
from benchmarks.delivery_runs import MAX_COMMIT_ERROR_RATIO, Service, load_predictor, replay
from benchmarks.delivery_tables import LEGEND, kind_table, main_table, stress_table
from benchmarks.delivery_ways import ALWAYS_LARGE, LATENCY_MODELS, PRICES, RACE_STREAMS, RACE_WHOLE, WAYS
from specroute.learn.readers import OutcomesError
from specroute.upstreams.simulated.recorded import DEFAULT_PAIR
from specroute.validators.registry import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.delivery_cases import Case
    from benchmarks.delivery_figures import KindSummary, StressSummary, Summary
    from benchmarks.delivery_runs import WayRun
    from benchmarks.delivery_ways import LatencyModel, Way
    from specroute.demo.tables import Grid

DEFAULT_VALIDATORS = "complete,not_refusal,output_contract"
LOOP_CHECK = "not_repetitive"
FAILURE, USAGE_ERROR = 1, 2
MISMATCHES_SHOWN = 20


class Comparison:
    """All tables of one call of the command; ``mismatches``: prompt id and what broke the rules of a stream there."""

    def __init__(self, cases: Sequence[Case], options: argparse.Namespace) -> None:
        self._cases = cases
        self._options = options
        self._predictor = load_predictor()
        self.tables: dict[str, list[Summary]] = {}
        self.kinds: list[KindSummary] = []
        self.stress: list[StressSummary] = []
        self.mismatches: list[str] = []

    def run(self) -> None:
        """Replays every case in every way, with a bar on stderr."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as bars:
            for latency in LATENCY_MODELS:
                bar = bars.add_task(latency.name, total=len(WAYS) * len(self._cases))
                runs = self._replay({way.name: way for way in WAYS}, self._cases, latency, partial(bars.advance, bar))
                self.tables[latency.name] = summarise(
                    runs, baseline=ALWAYS_LARGE.name, race=RACE_WHOLE.name, seed=self._options.seed
                )
                self.kinds = self.kinds or by_kind([runs[way.name] for way in RACE_STREAMS])
            if self._options.damage:
                bar = bars.add_task("broken answers", total=(len(RACE_STREAMS) + 1) * len(self._cases))
                self.stress = under_stress(self._break_answers(partial(bars.advance, bar)))

    def _break_answers(self, advance: Callable[[], None]) -> dict[str, WayRun]:
        options = self._options
        cases = damaged(self._cases, share=options.damage, seed=options.seed)
        runs = self._replay({way.name: way for way in RACE_STREAMS}, cases, LATENCY_MODELS[0], advance)
        held_back = RACE_STREAMS[1]
        checks = (*options.validators, LOOP_CHECK)
        with_loop_check = {f"{held_back.name}, with {LOOP_CHECK}": held_back}
        return runs | self._replay(with_loop_check, cases, LATENCY_MODELS[0], advance, validators=checks)

    def _replay(
        self,
        ways: Mapping[str, Way],
        cases: Sequence[Case],
        latency: LatencyModel,
        advance: Callable[[], None],
        *,
        validators: Sequence[str] = (),
    ) -> dict[str, WayRun]:
        runs = {}
        for name, way in ways.items():
            service = Service(way, latency, self._predictor, tuple(validators or self._options.validators))
            runs[name] = replay(service, cases, seed=self._options.seed, advance=advance)
            self.mismatches += [
                f"{seen.case.request.request_id}: {name}, {latency.name}: {fault}"
                for seen in runs[name].seen
                for fault in seen.faults
            ]
        return runs

    def parts(self) -> Iterator[str | Grid]:
        """Yields what is printed: words and tables."""
        options = self._options
        json_prompts = "with the contract json_object" if options.contract == "json" else "as free text"
        yield (
            f"{len(self._cases)} recorded prompts of {options.pair}; those that ask for JSON are sent {json_prompts}. "
            f"Validators: {', '.join(options.validators)}. Every request of a cascade or race row is routed so "
            "(cuts on p at 0 and 1), so that rows differ by delivery. Answers stream a token of "
            f"{CHARACTERS_PER_TOKEN} characters at a time; a prompt's draws are the same in every row. Tokens are "
            f"counted as bytes / 4 throughout; {PRICES}."
        )
        for latency in LATENCY_MODELS:
            yield f"{latency!s}."
            yield main_table(self.tables[latency.name])
        yield LEGEND
        yield f"When the winner was fixed, and why ({LATENCY_MODELS[0].name}):"
        yield kind_table(self.kinds)
        if self.stress:
            yield (
                f"Under stress ({LATENCY_MODELS[0].name}): {100.0 * options.damage:g} % of mini's answers broken: cut "
                "off by the token limit, JSON or tool arguments that stop in the middle, a refusal instead, or a loop "
                f"of {LOOP_TOKENS} tokens. The guard lets HOLD_BACK commit while the measured share of such answers "
                f"that fail at their end is at most {100.0 * MAX_COMMIT_ERROR_RATIO:g} %; held by the guard: streams "
                "that it kept waiting. Damage columns: answers so broken that were committed early."
            )
            yield stress_table(self.stress)

    def to_json(self) -> dict[str, Any]:
        """Returns everything as plain values."""
        options = self._options
        return {
            "pair": options.pair,
            "prompts": len(self._cases),
            "seed": options.seed,
            "contract": options.contract,
            "validators": list(options.validators),
            "damage_ratio": options.damage,
            "latency": {model.name: str(model) for model in LATENCY_MODELS},
            "deliveries": {name: [to_json(row) for row in rows] for name, rows in self.tables.items()},
            "kinds": [to_json(row) for row in self.kinds],
            "stress": [to_json(row) for row in self.stress],
            "mismatches": self.mismatches,
        }


def show(comparison: Comparison, *, markdown: bool) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = 240
    for part in comparison.parts():
        if markdown:
            print(part if isinstance(part, str) else part.to_markdown(), end="\n\n")
        else:
            console.print(escape(part) if isinstance(part, str) else part.to_rich(), highlight=False)


def main() -> None:
    options = _options()
    if options.outcomes is None:
        _give_up(USAGE_ERROR, "give recorded outcomes: --outcomes FILE.parquet, or set SPECROUTE_OUTCOMES")
    try:
        found = read_cases(
            options.outcomes, pair=options.pair, json_contract=options.contract == "json", seed=options.seed
        )
    except OutcomesError as error:
        _give_up(FAILURE, str(error))
    comparison = Comparison(found[: options.limit], options)
    comparison.run()
    show(comparison, markdown=options.markdown)
    if options.json is not None:
        options.json.write_text(json.dumps(comparison.to_json(), indent=2) + "\n", "utf-8")
    if comparison.mismatches:
        print(*comparison.mismatches[:MISMATCHES_SHOWN], sep="\n", file=sys.stderr)
        _give_up(FAILURE, f"{len(comparison.mismatches)} times a stream was not what it must be: a bug")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    set_path = os.environ.get("SPECROUTE_OUTCOMES")
    parser.add_argument(
        "--outcomes", type=Path, metavar="FILE", default=Path(set_path) if set_path else None,
        help="recorded outcomes; default: $SPECROUTE_OUTCOMES",
    )  # fmt: skip
    parser.add_argument("--pair", default=DEFAULT_PAIR, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of order, pace, damage and intervals; default: 0")
    parser.add_argument("--limit", type=_count, metavar="N", help="the first N prompts of the order only")
    parser.add_argument("--contract", choices=("json", "text"), default="json", help="of prompts that ask for JSON")
    parser.add_argument(
        "--validators", type=_validators, metavar="NAME,...", default=_validators(DEFAULT_VALIDATORS),
        help=f"default: {DEFAULT_VALIDATORS}",
    )  # fmt: skip
    parser.add_argument("--damage", type=_ratio, metavar="RATIO", default=0.05, help="0: no stress; default: 0.05")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON, too")
    return parser.parse_args()


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("give at least 1")
    return count


def _ratio(text: str) -> float:
    ratio = float(text)
    if not 0.0 <= ratio <= 1.0:
        raise argparse.ArgumentTypeError("give a share from 0 to 1")
    return ratio


def _validators(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := [name for name in names if name not in BUILT_IN]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(BUILT_IN)}")
    return names


def _give_up(code: int, message: str) -> NoReturn:
    print(f"benchmarks.delivery: {message}", file=sys.stderr)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
