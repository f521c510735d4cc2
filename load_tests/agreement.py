"""``python -m load_tests.agreement``: does Locust measure what ``specroute bench`` measures, at low load?

Both send the same requests to the same service at the same rate, in turns. Bench is an open loop and counts from the
intended time, Locust a closed one that counts from the sending: at low load both are the same, and what differs is what
the generator itself adds. Exit 1 where p50 or p99 differ by more than the README's bounds.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from load_tests.figures import figures_of
from load_tests.service import NotStarted, add_tier_options, running_service, running_tiers, tiers_of
from load_tests.sweeping.configs import config_text
from load_tests.sweeping.one_run import ROOT, Load, RunFailed, run_locust
from load_tests.sweeping.points import Point, model_folder
from specroute.config.durations import parse_duration_s

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FAILURE = 1
BOUNDS = {"p50": 0.10, "p99": 0.10}
"""How far Locust's figure may lie from bench's, as a share of it; median over the repeats."""

POINT = Point("service", "hedge", hedge_s=0.4)


@dataclass(frozen=True, slots=True)
class Turn:
    """The figures of both, one after the other."""

    locust: Mapping[str, float]
    bench: Mapping[str, float]

    def ratio(self, name: str) -> float:
        """Returns Locust's figure as a multiple of bench's."""
        return self.locust[name] / self.bench[name]


def disagreements(turns: Sequence[Turn]) -> list[str]:
    """Returns a line for each figure that is out of its bound."""
    found = []
    for name, bound in BOUNDS.items():
        middle = statistics.median(turn.ratio(name) for turn in turns)
        if abs(middle - 1.0) > bound:
            found.append(f"{name}: Locust has {middle:.3f} of what bench has, wanted {1 - bound:g} to {1 + bound:g}")
    return found


def as_table(turns: Sequence[Turn]) -> str:
    """Returns a line per repeat and the medians of the ratios."""
    lines = ["repeat  " + "".join(f"{name + ' locust':>14}{name + ' bench':>13}{'ratio':>8}" for name in BOUNDS)]
    for number, turn in enumerate(turns, 1):
        cells = "".join(
            f"{turn.locust[name]:>12.3f} s{turn.bench[name]:>11.3f} s{turn.ratio(name):>8.3f}" for name in BOUNDS
        )
        lines.append(f"{number:<8}{cells}")
    middles = (statistics.median(turn.ratio(name) for turn in turns) for name in BOUNDS)
    lines.append("median  " + "".join(f"{'':>27}{middle:>8.3f}" for middle in middles))
    return "\n".join(lines)


def run_bench(load: Load, server: str, *, seed: int) -> Mapping[str, float]:
    """Returns the figures of ``specroute bench`` with the same requests.

    Raises:
        RunFailed: it ended otherwise than it should.
    """
    workload = [] if load.outcomes is None else ["--outcomes", str(load.outcomes), "--pair", load.pair]
    stream = ["--stream"] if load.user_class == "RouteStreamUser" else []
    command = [
        sys.executable, "-m", "specroute", "bench", "--server", server, "--rate", repr(load.rate), "--requests",
        str(load.requests), "--seed", str(seed), "--deadline", f"{load.deadline_s:g}s", "--json", *workload, *stream,
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, timeout=load.requests / load.rate + 120.0, check=False
    )
    if done.returncode != 0:
        words = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
        raise RunFailed(f"specroute bench ended with {done.returncode}: {words}")
    figures: dict[str, float] = orjson.loads(done.stdout)["figures"]
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Compares and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.agreement", description="Locust against bench.")
    add_tier_options(parser, speed=1.0)
    parser.add_argument("--repeats", type=int, default=3, help="turns of both; default: %(default)s")
    parser.add_argument("--run-time", default="30s", help="of each; default: %(default)s")
    parser.add_argument("--rate", type=float, default=8.0, help="requests per second; default: %(default)s")
    parser.add_argument("--stream", action="store_true", help="call RouteStream")
    options = parser.parse_args(arguments)
    tiers = tiers_of(parser, options)
    try:
        run_time_s = parse_duration_s(options.run_time)
    except ValueError as error:
        parser.error(f"--run-time: {error}")
    if not options.rate > 0 or not run_time_s > 0 or options.repeats < 1:
        parser.error("--rate and --run-time must be more than 0, --repeats at least 1")
    user_class = "RouteStreamUser" if options.stream else "RouteUser"
    load = Load.lasting(run_time_s, options.rate, outcomes=tiers.outcomes, pair=tiers.pair, user_class=user_class)
    turns: list[Turn] = []
    with tempfile.TemporaryDirectory(prefix="specroute-agreement-") as name:
        folder = Path(name)
        try:
            with running_tiers(tiers, folder) as base_url:
                config = config_text(
                    POINT,
                    base_url,
                    model=model_folder(options.model),
                    speed=tiers.speed,
                    is_recorded=bool(tiers.outcomes),
                )
                with running_service(config, folder) as server:
                    for repeat in range(options.repeats):
                        turns.append(_turn(load, server, tiers.seed + repeat, folder, is_locust_first=repeat % 2 == 0))
                        sys.stderr.write(f"[{repeat + 1}/{options.repeats}] done\n")
        except (NotStarted, RunFailed) as error:
            sys.stderr.write(f"load_tests.agreement: {error}\n")
            return FAILURE
        except KeyboardInterrupt:
            sys.stderr.write("stopped; the turns that are over are shown\n")
    if not turns:
        return FAILURE
    sys.stdout.write(f"{as_table(turns)}\n")
    found = disagreements(turns)
    sys.stderr.write("".join(f"load_tests.agreement: {line}\n" for line in found))
    return FAILURE if found else 0


def _turn(load: Load, server: str, seed: int, folder: Path, *, is_locust_first: bool) -> Turn:
    if is_locust_first:
        _, rows = run_locust(load, server, seed=seed, folder=folder)
        return Turn(figures_of(rows), run_bench(load, server, seed=seed))
    bench = run_bench(load, server, seed=seed)
    _, rows = run_locust(load, server, seed=seed, folder=folder)
    return Turn(figures_of(rows), bench)


if __name__ == "__main__":
    sys.exit(main())
