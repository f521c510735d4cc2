"""``specroute bench`` over sockets: a service and its simulated tiers in this process, the load from another."""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import pytest
from anyio.streams.text import TextReceiveStream

from specroute.load.arrivals import Rate, schedule
from specroute.load.cases import SIMULATED_TIERS, known_answers, workload_cases
from specroute.load.figures import summarise
from specroute.load.generator import LoadOptions, run_open_loop
from specroute.load.mix import recorded_mix
from specroute.load.recorded_cases import recorded_workload
from specroute.upstreams.simulated.http.server import Simulator, SimulatorSettings
from tests.integration.conftest import Service, config, serving
from tests.load.recorded_rows import PAIR, ROWS, written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from specroute.upstreams.simulated.answers import AnswerBook

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

COMMAND = (sys.executable, "-W", "error", "-m", "specroute", "bench")
SPEED = 40.0


@asynccontextmanager
async def service(book: AnswerBook | None = None, hedge_delay: str = "on_rejection") -> AsyncIterator[Service]:
    """Runs tiers that answer the built-in tasks, or from ``book``, and a service that asks mini first."""
    book = book or known_answers(workload_cases(None, seed=0), seed=0)
    async with (
        Simulator(SimulatorSettings(SIMULATED_TIERS, book, speed=SPEED)) as simulator,
        serving(config(simulator.base_url, hedge_delay=hedge_delay)) as running,
    ):
        yield running


async def bench(running: Service, *arguments: str) -> tuple[int, str, str]:
    command = (*COMMAND, "--server", running.app.addresses.serving, *arguments)
    done = await anyio.run_process(command, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def test_figures_rows_and_a_page_are_written_and_kept_objectives_exit_0(tmp_path: Path) -> None:
    out = tmp_path / "out"
    async with service() as running:
        code, stdout, stderr = await bench(
            running, *("--requests", "40", "--rate", "60", "--warmup", "200ms", "--slo", "error_ratio<=50%"),
            *("--slo", "p99<=20s", "--json", "--out", str(out)),
        )  # fmt: skip

    assert code == 0, stderr
    facts = json.loads(stdout)
    assert facts == json.loads((out / "bench.json").read_text("utf-8"))
    assert (facts["rpc"], facts["partial"], facts["calls"], facts["intended"]) == ("Route", False, 40, 40)
    assert sum(facts["ends"].values()) == 40
    assert facts["plans"] == {"cascade": 40}
    assert 0.5 < facts["figures"]["quality"] <= 1.0
    assert facts["figures"]["p50"] > 0.0
    assert "ttft_p50" not in facts["figures"]
    with (out / "requests.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["index"]) for row in rows] == list(range(40))
    assert "specroute bench" in (out / "report.html").read_text("utf-8")


async def test_a_missed_objective_is_one_line_and_exit_1() -> None:
    async with service() as running:
        code, stdout, stderr = await bench(
            running, "--requests", "10", "--rate", "50", "--warmup", "0s", "--stream", "--slo", "ttft_p50<=1ms",
            "--slo", "quality>=0.01",
        )  # fmt: skip

    assert code == 1
    missed = [line for line in stderr.splitlines() if "missed" in line]
    assert len(missed) == 1
    assert missed[0].startswith("specroute bench: missed: ttft_p50 ")
    assert "RouteStream" in stdout
    assert "first token" in stdout


async def test_a_run_without_one_answer_has_failed() -> None:
    async with serving(config("http://127.0.0.1:1/v1")) as running:
        code, _, stderr = await bench(running, "--requests", "5", "--rate", "50", "--warmup", "0s")

    assert code == 1
    assert "specroute bench: no call was answered: ALL_UPSTREAMS_FAILED; look at the server's log" in stderr


async def test_an_interrupt_leaves_a_marked_report_of_what_has_finished(tmp_path: Path) -> None:
    out = tmp_path / "out"
    async with service() as running:
        command = (*COMMAND, "--server", running.app.addresses.serving, "--duration", "1h", "--warmup", "0s")
        async with await anyio.open_process((*command, "--out", str(out), "--json"), stdout=PIPE, stderr=PIPE) as child:
            await answered(running, 3)
            child.send_signal(signal.SIGINT)
            stdout, stderr = await drained(child)
            code = await child.wait()

    assert code == 130, stderr
    facts = json.loads(stdout)
    assert facts["partial"] is True
    assert facts["calls"] >= 3
    assert facts["calls"] + facts["unfinished"] < facts["intended"]
    assert json.loads((out / "bench.json").read_text("utf-8")) == facts


async def test_recorded_prompts_are_graded_by_what_was_delivered(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = written(tmp_path / "outcomes.parquet", ROWS)
    cases, book = recorded_workload(path, PAIR)
    mix = recorded_mix(path, PAIR, seed=0)
    times = schedule(Rate(100.0, 100.0), count=12, seed=0)

    async with service(book) as running:
        run = await run_open_loop(LoadOptions(running.app.addresses.serving), mix.sent(12), times)

    summary = summarise(run, is_recorded=True)
    assert summary.not_from_tier == 0
    assert summary.answered_by == {"mini": 10, "large": 2}
    assert summary.as_dict()["quality"] == pytest.approx(4 / len(cases))
    assert summary.as_dict()["escalation_ratio"] == pytest.approx(1 / 6)


async def test_streamed_calls_have_a_first_token_and_several_connections_carry_them() -> None:
    cases = workload_cases(20, seed=0)
    async with service(hedge_delay="0s") as running:
        options = LoadOptions(running.app.addresses.serving, stream=True, channels=3)
        run = await run_open_loop(options, cases, schedule(Rate(100.0, 100.0), count=20, seed=0))

    answered = [record for record in run.records if record.answer is not None and record.answer.text]
    assert len(answered) > 10
    for record in answered:
        assert record.first_token_s is not None
        assert record.sent_s < record.first_token_s <= record.done_s
    assert summarise(run).plans == {"race": 20}


async def test_a_server_that_goes_away_fails_the_rest_and_the_run_ends() -> None:
    gone = anyio.Event()

    class Leaving:
        finished_calls = 0

        def sent(self) -> None:
            pass

        def finished(self, status: str) -> None:
            self.finished_calls += 1
            if self.finished_calls == 5:
                gone.set()

    async def leave(running: Service) -> None:
        await gone.wait()
        await running.app.server.stop()

    async with service() as running, anyio.create_task_group() as group:
        group.start_soon(leave, running)
        options = LoadOptions(running.app.addresses.serving, deadline_s=5.0)
        times = schedule(Rate(40.0, 40.0), count=40, seed=0)
        run = await run_open_loop(options, workload_cases(40, seed=0), times, progress=Leaving())

    ends = summarise(run).ends
    assert len(run.records) == 40
    assert ends["UNAVAILABLE"] >= 20
    assert ends["OK"] >= 1


async def answered(running: Service, count: int) -> None:
    """Waits until the service has answered so many requests."""
    with anyio.fail_after(60.0):
        while True:
            metrics = await running.metrics()
            if sum(value for name, value in metrics.items() if name.startswith("specroute_requests_total")) >= count:
                return


async def drained(child: anyio.abc.Process) -> tuple[str, str]:
    texts: dict[str, Any] = {}

    async def read(name: str, stream: anyio.abc.ByteReceiveStream | None) -> None:
        assert stream is not None
        texts[name] = "".join([part async for part in TextReceiveStream(stream)])

    async with anyio.create_task_group() as group:
        group.start_soon(read, "out", child.stdout)
        group.start_soon(read, "err", child.stderr)
    return texts["out"], texts["err"]


def test_without_pyarrow_recorded_lines_are_read(tmp_path: Path) -> None:
    import subprocess

    # A folder that holds a broken pyarrow stands for a machine without it.
    (tmp_path / "pyarrow.py").write_text("raise ModuleNotFoundError(\"No module named 'pyarrow'\", name='pyarrow')\n")
    (tmp_path / "outcomes.jsonl").write_text("\n".join(json.dumps(row) for row in ROWS))
    program = (
        "from pathlib import Path; from specroute.load.recorded_cases import recorded_workload as read; "
        f"print(len(read(Path('outcomes.jsonl'), {PAIR!r}).cases))"
    )
    environ = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environ, capture_output=True, check=False)

    assert (done.stdout, done.stderr) == (b"6\n", b"")
