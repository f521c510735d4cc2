"""``python -m load_tests.tiers``: simulated tiers that know the answers to the built-in mix, so that it can be graded.

``specroute simulate`` serves made-up or recorded answers; this serves right and wrong ones to prompts whose right
answer is known. The first line printed is the base URL; SIGTERM and Ctrl-C stop it.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from specroute.load.cases import SIMULATED_TIERS, known_answers, workload_cases
from specroute.upstreams.simulated.http.server import Simulator, SimulatorSettings
from specroute.upstreams.simulated.latency import LATENCY_MODELS


def main() -> None:
    """Serves until it is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.tiers", description="Tiers that know the built-in mix.")
    parser.add_argument("--port", type=int, default=8081, help="0: any free one; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of answers and pace; default: %(default)s")
    parser.add_argument("--speed", type=float, default=1.0, help="divides all delays, > 0; default: %(default)s")
    parser.add_argument("--latency", choices=sorted(LATENCY_MODELS), help="a named model; default: the tiers' own")
    options = parser.parse_args()
    if not options.speed > 0:
        parser.error("--speed must be more than 0")
    settings = SimulatorSettings(
        SIMULATED_TIERS,
        known_answers(workload_cases(None, seed=0), seed=options.seed),
        port=options.port,
        seed=options.seed,
        speed=options.speed,
        latency=None if options.latency is None else LATENCY_MODELS[options.latency],
    )
    try:
        asyncio.run(_serve(settings))
    except OSError as error:
        sys.stderr.write(f"load_tests.tiers: port {options.port}: {error.strerror or error}; give another --port\n")
        raise SystemExit(1) from None


async def _serve(settings: SimulatorSettings) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with Simulator(settings) as simulator:
        sys.stdout.write(f"listening on {simulator.base_url}\n")
        sys.stdout.flush()
        await told.wait()


if __name__ == "__main__":
    main()
