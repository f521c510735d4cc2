"""Locust as users run it, against a service and tiers as processes. It patches what it runs in, so never in here."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from load_tests.rows import read_rows
from load_tests.service import Tiers, running_service, running_tiers
from load_tests.sweeping.configs import config_text
from load_tests.sweeping.points import Point
from specroute.core.request import Message, Role, RouteRequest
from specroute.core.stream import Delta
from specroute.edge.client.aio import Answered, RouteFailed
from specroute.edge.client.session import RouterSession
from specroute.load.cases import workload_cases

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parent.parent.parent
NOWHERE = "127.0.0.1:1"
SPEED = 20.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("service")
    with running_tiers(Tiers(speed=SPEED), folder) as base_url:
        config = config_text(Point("hedge", "hedge", hedge_s=0.4), base_url, model=None, speed=SPEED, is_recorded=False)
        with running_service(config, folder) as address:
            yield address


def command(server: str, *arguments: str) -> list[str]:
    locustfile = str(ROOT / "load_tests" / "locustfile.py")
    return [
        sys.executable, "-m", "locust", "-f", locustfile, "--headless", "-u", "20", "-r", "20", "--only-summary",
        "--host", server, "--rate", "20", *arguments,
    ]  # fmt: skip


def locust(server: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(server, *arguments), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_both_rpcs_under_load_leave_every_report_and_exit_0(server: str, tmp_path: Path) -> None:
    done = locust(
        server, "-t", "3s", "--csv", f"{tmp_path}/out", "--html", f"{tmp_path}/out.html", "--json-file",
        f"{tmp_path}/out", "--report", f"{tmp_path}/report.json", "--rows", f"{tmp_path}/rows.jsonl",
        "--slo", "p99<=20s", "--slo", "error_ratio<=5%", "--slo", "ttft_p99<=20s",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    report = orjson.loads((tmp_path / "report.json").read_bytes())
    rows = read_rows(tmp_path / "rows.jsonl")
    assert report["partial"] is False
    assert len(rows) == report["figures"]["calls"] > 10
    assert set(report["by_rpc"]) == {"Route", "RouteStream"}
    assert set(report["counts"]["plans"]) == {"hedge"}
    assert report["counts"]["mixed_up"] == {}
    assert 0.3 < report["figures"]["quality"] <= 1.0
    assert all((row.first_token_s is not None) == (row.rpc == "RouteStream") for row in rows if not row.has_failed)
    assert [slo["kept"] for slo in report["slos"]] == [True, True, True]
    assert "SLO p99<=20s: kept" in done.stderr
    assert (tmp_path / "out.html").stat().st_size > 0
    assert_two_entries_a_call(tmp_path / "out_stats.csv", tmp_path / "out.json")
    assert_no_prompt(tmp_path)


def assert_two_entries_a_call(table: Path, entries: Path) -> None:
    with table.open() as file:
        names = {(row["Type"], row["Name"]) for row in csv.DictReader(file)}
    assert names >= {(kind, rpc) for kind in ("grpc", "grpc-ttft") for rpc in ("Route", "RouteStream")}
    found: dict[tuple[str, str], dict[str, Any]] = {
        (entry["method"], entry["name"]): entry for entry in orjson.loads(entries.read_bytes())
    }
    first, whole = found["grpc-ttft", "RouteStream"], found["grpc", "RouteStream"]
    assert 0 < first["num_requests"] <= whole["num_requests"]
    assert first["total_response_time"] <= whole["total_response_time"]


def assert_no_prompt(folder: Path) -> None:
    written = b"".join(path.read_bytes() for path in folder.iterdir())
    assert not any(case.task.prompt.encode() in written for case in workload_cases(None, seed=0))


def test_an_slo_that_is_missed_exits_1_and_says_which_and_by_how_much(server: str) -> None:
    done = locust(server, "-t", "30s", "--requests", "12", "--slo", "p50<=1ms", "RouteUser")

    assert done.returncode == 1
    (said,) = [line for line in done.stderr.splitlines() if "MISSED" in line]
    assert said.startswith("SLO p50<=0.001s: MISSED: p50")


def test_an_interrupted_run_leaves_a_valid_report_that_says_so(server: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with subprocess.Popen(
        command(server, "-t", "60s", "--shape", "ramp", "--report", str(report)),
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if "All users spawned" in line:
                process.send_signal(signal.SIGINT)
                break
        said = process.stderr.read()

    assert "Traceback" not in said
    assert orjson.loads(report.read_bytes())["partial"] is True


UNUSABLE = [
    ([], 1, f"locust: no server answers at {NOWHERE} (UNAVAILABLE); start one with"),
    (["--slo", "p98<=1s"], 2, "did you mean p99?"),
    (["--outcomes", "nowhere.parquet"], 1, "locust: nowhere.parquet"),
]


def test_what_cannot_run_is_said_in_one_line_before_any_load() -> None:
    # All at once: most of the time is Locust's own start.
    processes = [
        subprocess.Popen(command(NOWHERE, *arguments), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for arguments, _, _ in UNUSABLE
    ]
    ends = [(process.communicate(timeout=60)[1].decode(), process.returncode) for process in processes]

    for (said, code), (_, wanted, line) in zip(ends, UNUSABLE, strict=True):
        (only,) = [text for text in said.splitlines() if "INFO" not in text]
        assert (code, line in only) == (wanted, True), only


def request(prompt: str) -> RouteRequest:
    return RouteRequest("", (Message(Role.USER, prompt),))


def test_a_session_keeps_its_connection_over_unary_calls_and_streams(server: str) -> None:
    case = workload_cases(1, seed=3)[0]
    with RouterSession(server) as session:
        assert session.connect(timeout_s=5.0)
        whole = session.route(case.request, timeout_s=10.0)
        events = list(session.stream(case.request, timeout_s=10.0))

    assert isinstance(events[-1], Answered)
    assert (events[-1].text, events[-1].tier) == (whole.text, whole.tier)
    assert "".join(event.text for event in events if isinstance(event, Delta)) == whole.text
    assert case.is_from_its_tier(whole)


def test_a_session_says_how_a_call_failed(server: str) -> None:
    with RouterSession(server) as session:
        with pytest.raises(RouteFailed) as failed:
            session.route(request(""), timeout_s=5.0)
        with pytest.raises(RouteFailed) as streamed:
            list(session.stream(request(""), timeout_s=5.0))

    assert failed.value.code == streamed.value.code == "INVALID_ARGUMENT"
    assert failed.value.reason != ""


def test_a_session_knows_that_nobody_is_there() -> None:
    with RouterSession(NOWHERE) as session:
        assert session.connect(timeout_s=0.2) is False
        with pytest.raises(RouteFailed) as failed:
            session.route(request("hi"), timeout_s=1.0)

    assert failed.value.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
