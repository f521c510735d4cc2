"""Simulated tiers and the service as processes of their own, for the length of a ``with`` block or until Ctrl-C.

The generator never shares a process with what it loads. Processes have a session of their own, so that Ctrl-C reaches
who started them and not them, and are stopped by their own id. Ports are free ones; logs lie in a folder.

    python -m load_tests.service [--outcomes FILE] [--speed 1] [--latency mini-fast] [--hedge 250ms]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from load_tests.sweeping.configs import config_text
from load_tests.sweeping.points import Point, model_folder, read_delay

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

READY_WITHIN_S = 90.0
STOP_WITHIN_S = 15.0


class NotStarted(Exception):
    """A process ended, or was not ready in time; the message is one line with its own last words."""


@dataclass(frozen=True, slots=True)
class Tiers:
    """What answers.

    Attributes:
        outcomes: recorded answers; ``None``: right and wrong ones to the built-in mix.
        pair: the pair of ``outcomes``.
        speed: divides all delays, > 0.
        latency: name of a latency model; "": recorded latencies, else the tiers' own profiles.
    """

    outcomes: Path | None = None
    pair: str = "gpt-4o-mini|gpt-4o"
    seed: int = 0
    speed: float = 1.0
    latency: str = ""

    def command(self) -> list[str]:
        """Returns how they are started."""
        pace = ["--seed", str(self.seed), "--speed", repr(self.speed)]
        pace += ["--latency", self.latency] if self.latency else []
        if self.outcomes is None:
            return [sys.executable, "-m", "load_tests.tiers", "--port", "0", *pace]
        recorded = ["--listen", "127.0.0.1:0", "--outcomes", str(self.outcomes), "--pair", self.pair]
        return [sys.executable, "-m", "specroute", "simulate", *recorded, *pace]


@contextlib.contextmanager
def running_tiers(tiers: Tiers, folder: Path) -> Iterator[str]:
    """Yields the base URL of the tiers.

    Raises:
        NotStarted: they did not start.
    """
    with _child(tiers.command(), folder / "tiers.log") as ready_line:
        yield ready_line.split()[2]


@contextlib.contextmanager
def running_service(config: str, folder: Path) -> Iterator[str]:
    """Yields HOST:PORT of a service with this configuration.

    Raises:
        NotStarted: it did not start.
    """
    path = folder / "service.yaml"
    path.write_text(config, "utf-8")
    command = [sys.executable, "-m", "specroute", "serve", "--config", str(path), "--log-level", "error"]
    with _child(command, folder / "service.log") as ready_line:
        yield ready_line.split()[2]


@contextlib.contextmanager
def _child(command: Sequence[str], log: Path) -> Iterator[str]:
    """Yields the first line that the process prints; it has none but this one."""
    root = Path(__file__).resolve().parent.parent
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, cwd=root, start_new_session=True
        )
    try:
        assert process.stdout is not None
        yield _first_line(process.stdout.fileno(), command, log)
    finally:
        _stop(process)


def _first_line(descriptor: int, command: Sequence[str], log: Path) -> str:
    give_up_s = time.monotonic() + READY_WITHIN_S
    line = b""
    while b"\n" not in line:
        readable, _, _ = select.select([descriptor], [], [], max(0.0, give_up_s - time.monotonic()))
        read = os.read(descriptor, 4096) if readable else b""
        if not read:
            words = (log.read_text("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
            raise NotStarted(f"{' '.join(command[2:4])} did not start: {words}")
        line += read
    return line.decode().splitlines()[0]


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def add_tier_options(parser: argparse.ArgumentParser, *, speed: float) -> None:
    """Adds what ``tiers_of`` reads."""
    parser.add_argument("--outcomes", type=Path, metavar="FILE", help="answer recorded prompts; default: built-in mix")
    parser.add_argument("--pair", default="gpt-4o-mini|gpt-4o", metavar="MINI|LARGE", help="the pair of --outcomes")
    parser.add_argument("--speed", type=float, default=speed, help="divides the tiers' delays; default: %(default)s")
    parser.add_argument("--latency", default="", help="mini-fast, mini-slow or recorded; default: the tiers' own")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn; default: %(default)s")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="default: router_models/default, else a prior")


def tiers_of(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Tiers:
    """Returns the tiers that the options describe; one that is no use ends the program in one line."""
    if not options.speed > 0:
        parser.error("--speed must be more than 0")
    if options.outcomes is not None and not options.outcomes.is_file():
        parser.error(f"--outcomes {options.outcomes}: there is no such file")
    outcomes = None if options.outcomes is None else options.outcomes.resolve()
    return Tiers(outcomes, options.pair, options.seed, options.speed, options.latency)


def main() -> None:
    """Runs tiers and service until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.service", description="Tiers and a service to load.")
    add_tier_options(parser, speed=1.0)
    parser.add_argument("--hedge", default="on_rejection", metavar="DELAY", help="250ms, 0s ...; default: %(default)s")
    options = parser.parse_args()
    tiers = tiers_of(parser, options)
    try:
        point = Point("service", "hedge", hedge_s=read_delay(options.hedge))
    except ValueError as error:
        parser.error(f"--hedge: {error}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="specroute-") as folder:
        try:
            with running_tiers(tiers, Path(folder)) as base_url:
                config = config_text(
                    point,
                    base_url,
                    model=model_folder(options.model),
                    speed=1.0,
                    is_recorded=tiers.outcomes is not None,
                )
                with running_service(config, Path(folder)) as address:
                    sys.stdout.write(f"serving on {address} tiers on {base_url}; Ctrl-C stops both\n")
                    sys.stdout.flush()
                    signal.pause()
        except NotStarted as error:
            sys.stderr.write(f"load_tests.service: {error}\n")
            raise SystemExit(1) from None
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
