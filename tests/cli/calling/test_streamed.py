"""``specroute route --stream`` against a scripted server: what is printed, when, and where."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from specroute.cli import app
from specroute.core.errors import NoEligibleTier, StreamInterrupted
from specroute.core.stream import Delivered
from tests.edge.scripted_server import (
    WAIT_S,
    calls,
    committed,
    completed,
    decided,
    delta,
    scripted,
    superseded,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

ANSWER = (decided("mini", "large"), committed(0, "mini"), delta("Li"), delta("ma."), completed("Lima."))
TAKEN_BACK = (
    decided("mini", "large"),
    delta("I'm sorry, ", provisional=True),
    delta("I can't", provisional=True),
    superseded(0, "refusal"),
    delta("Li", 1, provisional=True),
    committed(1, "large"),
    delta("ma.", 1),
    completed("Lima.", "large"),
)
BROKEN = StreamInterrupted("the upstream failed: reset", delivered=Delivered(0, "mini", 12, 47))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["route", "Hi", *arguments])


@contextmanager
def process(*arguments: str, stdout: int = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "specroute", "route", "Hi", "--stream", *arguments]
    with subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE) as running:
        try:
            yield running
        finally:
            running.kill()


def read_exactly(stream: IO[bytes] | None, count: int) -> bytes:
    assert stream is not None
    return stream.read(count)


def test_the_answer_is_printed_and_ends_its_line() -> None:
    with scripted(*ANSWER) as (address, _):
        done = run("--stream", "--server", address)

    assert (done.exit_code, done.stdout, done.stderr) == (0, "Lima.\n", "")


def test_every_delta_is_printed_as_it_comes() -> None:
    may_go_on = threading.Event()
    with (
        scripted(*ANSWER[:3], may_go_on, *ANSWER[3:]) as (address, _),
        process("--server", address) as running,
    ):
        assert read_exactly(running.stdout, 2) == b"Li"
        may_go_on.set()
        assert read_exactly(running.stdout, 100) == b"ma.\n"
        assert running.wait(WAIT_S) == 0


def test_explain_follows_the_answer() -> None:
    with scripted(*ANSWER) as (address, _):
        done = run("--stream", "--server", address, "--explain")

    assert done.stdout.startswith("Lima.\n\nanswered   by mini (mini-v1 on mini-0)\n")
    assert "committed  leg 0 (mini)" in done.stdout


def test_tool_calls_have_their_own_lines() -> None:
    script = (
        committed(0, "mini"),
        delta("Well"),
        calls("add", '{"a": 1}'),
        calls("add", '{"a": 2}'),
        completed("Well"),
    )
    with scripted(*script) as (address, _):
        done = run("--stream", "--server", address)

    assert done.stdout == 'Well\nadd({"a": 1})\nadd({"a": 2})\n'


def test_json_is_one_event_a_line() -> None:
    with scripted(*TAKEN_BACK) as (address, _):
        done = run("--stream", "--json", "--server", address)

    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [next(iter(event)) for event in events] == [
        "decided",
        "delta",
        "delta",
        "superseded",
        "delta",
        "committed",
        "delta",
        "completed",
    ]
    assert events[3] == {"superseded": {"reason": "refusal"}}
    assert events[4]["delta"] == {"leg": 1, "text": "Li", "provisional": True}
    assert events[5]["committed"]["reason"] == "COMMIT_REASON_VALIDATED"


def test_a_pipe_gets_only_what_is_not_taken_back() -> None:
    with scripted(*TAKEN_BACK) as (address, _):
        done = run("--stream", "--delivery", "provisional", "--server", address)

    assert (done.exit_code, done.stdout, done.stderr) == (0, "Lima.\n", "")


def test_a_terminal_shows_provisional_text_at_once_and_says_what_is_taken_back() -> None:
    terminal, slave = pty.openpty()
    may_go_on = threading.Event()
    with (
        scripted(*TAKEN_BACK[:3], may_go_on, *TAKEN_BACK[3:]) as (address, _),
        process("--delivery", "provisional", "--server", address, stdout=slave) as running,
    ):
        os.close(slave)
        shown = b""
        while len(shown) < len("I'm sorry, I can't"):
            shown += os.read(terminal, 100)
        may_go_on.set()
        assert running.wait(WAIT_S) == 0
        said = read_exactly(running.stderr, 1_000)
        shown += os.read(terminal, 100)
    os.close(terminal)

    assert shown.decode().splitlines() == ["I'm sorry, I can't", "Lima."]
    assert b"[taken back: mini, refusal]" in said


@pytest.mark.parametrize(
    ("options", "wish"),
    [
        ([], "committed"),
        (["--delivery", "committed"], "committed"),
        (["--delivery", "provisional"], "provisional"),
        (["--delivery", "hold_back", "--hold-tokens", "7"], "hold_back"),
        (["--delivery", "hold_back", "--hold-duration", "250ms"], "hold_back"),
        (["--delivery", "hold_back", "--hold-tokens", "7", "--hold-duration", "1.5s"], "hold_back"),
    ],
)
def test_the_options_say_how_the_answer_is_delivered(options: list[str], wish: str) -> None:
    with scripted(*ANSWER) as (address, router):
        done = run("--stream", "--server", address, *options)

    (request,) = router.requests
    assert done.exit_code == 0
    assert request.request.messages[0].content == "Hi"
    assert request.WhichOneof("delivery") == wish
    assert request.hold_back.tokens == (7 if "7" in options else 0)
    held_ms = {"250ms": 250, "1.5s": 1500}.get(options[-1] if options else "", 0)
    assert request.hold_back.duration.ToMilliseconds() == held_ms


@pytest.mark.parametrize(
    ("options", "mend"),
    [
        (["--delivery", "committed"], "--stream"),
        (["--hold-tokens", "7"], "--stream"),
        (["--hold-duration", "1s"], "--stream"),
        (["--stream", "--delivery", "hold_back"], "--hold-tokens"),
        (["--stream", "--hold-tokens", "7"], "hold_back"),
        (["--stream", "--delivery", "provisional", "--hold-duration", "1s"], "hold_back"),
        (["--stream", "--delivery", "hold_back", "--hold-duration", "250"], "250s"),
        (["--stream", "--delivery", "hold_back", "--hold-tokens", "0"], "--hold-tokens"),
        (["--stream", "--delivery", "sometimes"], "committed"),
    ],
)
def test_options_that_contradict_one_another_are_a_usage_error(options: list[str], mend: str) -> None:
    done = run(*options, "--server", "127.0.0.1:1")

    assert (done.exit_code, done.stdout) == (2, "")
    assert mend in done.stderr


@pytest.mark.parametrize("options", [[], ["--json"], ["--explain"]])
def test_a_stream_that_breaks_off_says_how_much_was_delivered(options: list[str]) -> None:
    with scripted(*ANSWER[:3], BROKEN) as (address, _):
        done = run("--stream", "--server", address, *options)

    assert done.exit_code == 1
    assert done.stdout.endswith("\n")
    (line,) = done.stderr.splitlines()
    assert line == (
        "UNAVAILABLE STREAM_INTERRUPTED: the upstream failed: reset; 12 tokens (47 bytes) by mini had been delivered"
    )


def test_a_stream_that_never_begins_is_one_line_and_exit_1() -> None:
    with scripted(NoEligibleTier("rules leave none")) as (address, _):
        done = run("--stream", "--server", address)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "FAILED_PRECONDITION NO_ELIGIBLE_TIER: rules leave none\n"


def test_no_server_says_what_to_do() -> None:
    done = run("--stream", "--server", "127.0.0.1:1", "--timeout", "5")

    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert "no server answers at 127.0.0.1:1" in line


def test_a_stream_without_a_last_event_is_no_success() -> None:
    with scripted(*ANSWER[:3]) as (address, _):
        done = run("--stream", "--server", address)

    assert (done.exit_code, done.stdout) == (1, "Li\n")
    assert f"{address} ended the stream without saying how" in done.stderr


def test_control_c_cancels_the_call() -> None:
    with (
        scripted(*ANSWER[:3], threading.Event()) as (address, router),
        process("--server", address) as running,
    ):
        assert read_exactly(running.stdout, 2) == b"Li"
        running.send_signal(signal.SIGINT)
        assert running.wait(WAIT_S) == 130
        assert router.ended.wait(WAIT_S)
        assert read_exactly(running.stderr, 1_000) == b""


def test_a_reader_that_closes_the_pipe_cancels_the_call() -> None:
    may_go_on = threading.Event()
    with (
        scripted(*ANSWER[:3], may_go_on, *(delta("x" * 100_000) for _ in range(50))) as (address, router),
        process("--server", address) as running,
    ):
        assert read_exactly(running.stdout, 2) == b"Li"
        assert running.stdout is not None
        running.stdout.close()
        may_go_on.set()
        assert running.wait(WAIT_S) == 1
        assert router.ended.wait(WAIT_S)
