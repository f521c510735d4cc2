"""``python -m load_tests.sweep``: hedge delays and thresholds under load, money against p95, from one command.

Every point is a configuration of its own; every run a fresh service and a Locust process. The order is shuffled in each
repeat, so that what drifts on the machine does not look like an effect, and runs of one repeat send the same requests
at the same intended times. ``--speed`` divides the tiers' delays, so that a sweep takes minutes: hedge delays are
divided alike and latencies reported multiplied back, and with them what the service itself adds. Ctrl-C keeps the runs
that are over.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from load_tests.service import NotStarted, add_tier_options, running_service, running_tiers, tiers_of
from load_tests.sweeping.configs import config_text, has_verifier
from load_tests.sweeping.one_run import Load, RunFailed, run_locust
from load_tests.sweeping.points import chosen, default_points, model_folder
from load_tests.sweeping.results import Results, as_table
from specroute.config.durations import parse_duration_s

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from load_tests.rows import CallRow
    from load_tests.service import Tiers
    from load_tests.sweeping.points import Point

FAILURE, INTERRUPTED = 1, 130
MIN_REPEATS = 3


def parser_of() -> argparse.ArgumentParser:
    """Returns the command line."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.sweep", description="Money against p95, under load.")
    add_tier_options(parser, speed=4.0)
    parser.add_argument("--repeats", type=int, default=MIN_REPEATS, help="runs of every point; default: %(default)s")
    parser.add_argument("--run-time", default="20s", help="of a run, on the wall clock; default: %(default)s")
    parser.add_argument("--rate", type=float, default=8.0, help="requests per second; default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("sweep"), help="folder of the files; default: %(default)s")
    parser.add_argument("--only", action="append", default=[], metavar="POINT", help="this point; repeatable")
    return parser


def schedule(points: Sequence[Point], repeats: int, seed: int) -> list[tuple[int, Point]]:
    """Returns every run in its order: all points once, shuffled, then all of them again."""
    order = random.Random(seed)
    return [(repeat, point) for repeat in range(repeats) for point in order.sample(list(points), len(points))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the sweep and returns the exit code."""
    parser = parser_of()
    options = parser.parse_args(arguments)
    tiers = tiers_of(parser, options)
    model = model_folder(options.model)
    try:
        run_time_s = parse_duration_s(options.run_time)
        points = chosen(default_points(has_verifier=has_verifier(model)), options.only)
    except ValueError as error:
        parser.error(str(error))
    if not options.rate > 0 or not run_time_s > 0 or options.repeats < 1:
        parser.error("--rate and --run-time must be more than 0, --repeats at least 1")
    load = Load.lasting(run_time_s, options.rate, outcomes=tiers.outcomes, pair=tiers.pair)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {options.out}: {error.strerror}")
    results = Results(points, _setting(tiers, load, model, options.repeats), tiers.speed, options.repeats)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = _run_with_tiers(results, tiers, load, model)
    if not results.rows:
        return code or FAILURE
    told = results.write(options.out)
    sys.stdout.write(f"{as_table(told)}\n")
    _draw(told, options.out / "sweep.png")
    return code


def run_all(results: Results, seed: int, run_one: Callable[[Point, int], Sequence[CallRow]]) -> int:
    """Runs what is planned and returns the exit code; what is done is in ``results`` at any time.

    ``run_one`` returns the calls of a point in a repeat, counted from 0.
    """
    runs = schedule(results.points, results.planned, seed)
    try:
        for number, (repeat, point) in enumerate(runs, 1):
            what = f"{point.name}, repeat {repeat + 1}"
            _say(f"[{number}/{len(runs)}] {what}")
            try:
                results.add(point, run_one(point, repeat))
            except (NotStarted, RunFailed) as error:
                results.failed.append(f"{what}: {error}")
                _say(f"load_tests.sweep: {results.failed[-1]}")
    except KeyboardInterrupt:
        _say("stopped; the runs that are over are kept")
        return INTERRUPTED
    return FAILURE if results.failed else 0


def _run_with_tiers(results: Results, tiers: Tiers, load: Load, model: Path | None) -> int:
    with tempfile.TemporaryDirectory(prefix="specroute-sweep-") as name:
        folder = Path(name)
        try:
            with running_tiers(tiers, folder) as base_url:

                def run_one(point: Point, repeat: int) -> Sequence[CallRow]:
                    config = config_text(
                        point, base_url, model=model, speed=tiers.speed, is_recorded=tiers.outcomes is not None
                    )
                    with running_service(config, folder) as server:
                        return run_locust(load, server, seed=tiers.seed + repeat, folder=folder)[1]

                return run_all(results, tiers.seed, run_one)
        except NotStarted as error:
            _say(f"load_tests.sweep: {error}")
            return FAILURE
        except KeyboardInterrupt:
            return INTERRUPTED


def _setting(tiers: Tiers, load: Load, model: Path | None, repeats: int) -> dict[str, object]:
    workload = "built-in mix" if tiers.outcomes is None else f"recorded answers of {tiers.pair.replace('|', ' and ')}"
    return {
        "workload": workload,
        "latency": tiers.latency or "the tiers' own",
        "speed": tiers.speed,
        "rate_per_wall_s": load.rate,
        "requests_per_run": load.requests,
        "repeats": repeats,
        "seed": tiers.seed,
        "model": "prior" if model is None else model.name,
        "latencies": "multiplied by speed: what the service adds is multiplied, too",
    }


def _draw(told: dict[str, object], path: Path) -> None:
    try:
        from load_tests.sweeping.picture import draw

        draw(told, path)
    except ModuleNotFoundError:
        _say("no picture: pip install 'specroute[train]' for matplotlib")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
