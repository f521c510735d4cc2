"""``specroute route`` and ``specroute decide`` against a running server."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.cli.calling.commands import in_a_thread, run
from tests.integration.conftest import config, serving
from tests.integration.mock_upstream import MockUpstream, Script, answers_status, calls_tool, says

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration


@contextmanager
def server(**scripts: Script) -> Iterator[str]:
    """Runs a service in another thread, because the commands block theirs; gives its address."""

    async def serve(*, task_status: anyio.abc.TaskStatus[str]) -> None:
        async with MockUpstream() as upstream:
            upstream.on("cli", **scripts)
            async with serving(config(upstream.base_url, hedge_delay="on_rejection")) as service:
                task_status.started(service.app.addresses.serving)
                await anyio.sleep_forever()

    with in_a_thread(serve) as address:
        yield address


def test_route_prints_the_answer_and_explains_it() -> None:
    with server(mini=answers_status(500), large=says("Lima.")) as address:
        done = run("route", "Capital of Peru? nonce:cli", "--server", address, "--explain")
        plain = run("route", "Capital of Peru? nonce:cli", "--server", address)

    assert done.exit_code == plain.exit_code == 0
    assert plain.stdout == "Lima.\n"
    assert done.stdout.startswith("Lima.\n")
    for words in ("answered   by large", "cascade (threshold)", "mini on mini-0", "failed (http_500)", "won", "paid"):
        assert words in done.stdout


def test_route_prints_the_protos_json_form() -> None:
    with server(mini=says("Lima.")) as address:
        done = run("route", "Hi nonce:cli", "--server", address, "--json")

    reply = json.loads(done.stdout)
    assert reply["output"]["text"] == "Lima."
    assert reply["decision"]["attempts"][0]["end"] == "ATTEMPT_END_WON"


def test_route_prints_tool_calls(tmp_path: Path) -> None:
    request = {
        "messages": [{"role": "user", "content": "Weather? nonce:cli"}],
        "generation": {"tools": [{"name": "weather"}]},
        "request_id": "from-a-file",
    }
    path = tmp_path / "request.json"
    path.write_text(json.dumps(request))
    with server(mini=calls_tool("weather", '{"city": "Lima"}')) as address:
        done = run("route", "--request", str(path), "--server", address)
        as_json = run("route", "--request", str(path), "--server", address, "--json")

    assert done.stdout == 'weather({"city": "Lima"})\n'
    assert json.loads(as_json.stdout)["request_id"] == "from-a-file"


def test_route_streams_the_answer_of_a_running_server() -> None:
    with server(mini=answers_status(500), large=says("Li", "ma.", between_s=0.005)) as address:
        done = run("route", "Capital of Peru? nonce:cli", "--server", address, "--stream", "--explain")
        failed = run("route", " ", "--server", address, "--stream")

    assert done.exit_code == 0
    assert done.stdout.startswith("Lima.\n\nanswered   by large")
    assert "committed  leg 1 (large)" in done.stdout
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert "request.messages[0].content" in failed.stderr


def test_decide_says_what_would_be_done() -> None:
    with server() as address:
        done = run("decide", "Hi nonce:cli", "--server", address)
        as_json = run("decide", "Hi nonce:cli", "--server", address, "--json")

    assert "planned    cascade" in done.stdout
    assert "mini 0.600" in done.stdout
    assert json.loads(as_json.stdout)["decision"]["plan"]["kind"] == "PLAN_KIND_CASCADE"


def test_a_failure_is_one_line_and_exit_1() -> None:
    with server(mini=answers_status(500), large=answers_status(500)) as address:
        failed = run("route", "Hi nonce:cli", "--server", address)
        explained = run("route", "Hi nonce:cli", "--server", address, "--explain")
        empty = run("route", " ", "--server", address)

    assert (failed.exit_code, failed.stdout) == (1, "")
    (line,) = failed.stderr.splitlines()
    assert line.startswith("UNAVAILABLE ALL_UPSTREAMS_FAILED: ")
    assert "large on large-0" in explained.stderr
    (line,) = empty.stderr.splitlines()
    assert "messages[0].content" in line


def test_no_server_says_what_to_do() -> None:
    done = run("route", "Hi", "--server", "127.0.0.1:1", "--timeout", "5")

    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert "no server answers at 127.0.0.1:1" in line
    assert "specroute serve" in line


@pytest.mark.parametrize("arguments", [[], ["Hi", "--request", "x.json"]])
def test_a_prompt_and_a_file_exclude_each_other(arguments: list[str]) -> None:
    done = run("route", *arguments)

    assert done.exit_code == 2


@pytest.mark.parametrize("text", ["{", '{"promt": "Hi"}', '{"messages": 3}', "\xff"])
def test_a_request_file_that_is_none_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "request.json"
    path.write_bytes(text.encode("latin-1"))

    done = run("route", "--request", str(path))

    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert str(path) in line


def test_a_request_file_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    done = run("decide", "--request", str(tmp_path / "none.json"))

    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
