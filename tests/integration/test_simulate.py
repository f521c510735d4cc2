"""The simulated endpoint over real sockets: what clients see, and what it notices of them."""

import asyncio
import errno
import inspect
import math
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import typer
from typer.testing import CliRunner

from specroute.cli.simulate import simulate
from specroute.upstreams.simulated.answers import KnownAnswer, KnownAnswers
from specroute.upstreams.simulated.http.faults import FAULT_HEADER, parse_fault_rate
from specroute.upstreams.simulated.http.request_log import RequestRecord
from specroute.upstreams.simulated.http.server import Simulator, SimulatorSettings
from specroute.upstreams.simulated.profile import LatencyProfile, QualityProfile, TierProfile

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

PROMPT = "What is the capital of Norway?"
TEXT = "The capital of Norway is Oslo, a city at the head of a fjord on the country's southern coast."
QUALITY = QualityProfile(correct=1.0)
TIERS = (
    TierProfile("mini", LatencyProfile(0.01, 0.02, tokens_per_s=1000), QUALITY),
    TierProfile("slow", LatencyProfile(60, 60, tokens_per_s=1), QUALITY),
    TierProfile("dripping", LatencyProfile(0.001, 0.001, tokens_per_s=0.05), QUALITY),
)
BOOK = KnownAnswers([KnownAnswer(PROMPT, "", TEXT, "Bergen.")], TIERS)


def settings_of(**fields: Any) -> SimulatorSettings:
    return replace(SimulatorSettings(tiers=TIERS, book=BOOK), **fields)


@asynccontextmanager
async def serving(**fields: Any) -> AsyncIterator[tuple[Simulator, aiohttp.ClientSession]]:
    async with Simulator(settings_of(**fields)) as simulator, aiohttp.ClientSession() as session:
        yield simulator, session


def body_of(model: str = "mini", prompt: str = PROMPT, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": prompt}]} | fields


def post(pair: tuple[Simulator, aiohttp.ClientSession], body: object, fault: str = "", **headers: str) -> Any:
    simulator, session = pair
    sent = headers | ({FAULT_HEADER: fault} if fault else {})
    return session.post(f"{simulator.base_url}/chat/completions", json=body, headers=sent)


def events_of(raw: bytes) -> list[Any]:
    """Decodes the events before ``[DONE]``; a stream without it has ``None`` as its last item."""
    parts = [part.removeprefix(b"data: ") for part in raw.split(b"\n\n") if part]
    whole = bool(parts) and parts[-1] == b"[DONE]"
    return [orjson.loads(part) for part in parts if part != b"[DONE]"] + ([] if whole else [None])


async def only_record(simulator: Simulator) -> RequestRecord:
    await simulator.log.until(lambda log: log.count == 1 and log.in_flight == 0)
    (record,) = simulator.log.records
    return record


async def test_a_stream_has_the_shape_of_the_real_thing() -> None:
    async with serving() as pair:
        body = body_of(stream=True, stream_options={"include_usage": True})
        async with post(pair, body, **{"x-request-id": "abc"}) as response:
            events = events_of(await response.read())
        record = await only_record(pair[0])

    assert response.content_type == "text/event-stream"
    assert response.headers["x-request-id"] == "abc"
    *answer, usage = events
    assert answer[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in answer) == TEXT
    assert [event["choices"][0]["finish_reason"] for event in answer] == [None] * (len(answer) - 1) + ["stop"]
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == record.output_tokens > 10
    assert len({event["id"] for event in events}) == 1
    assert (record.request_id, record.closed_by, record.finished, record.status) == ("abc", "server", True, 200)
    assert record.first_byte_s is not None
    assert record.start_s < record.first_byte_s < record.end_s


async def test_a_whole_answer_comes_with_its_usage() -> None:
    async with serving(speed=math.inf) as pair, post(pair, body_of()) as response:
        body = await response.json()

    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"] == {"role": "assistant", "content": TEXT, "refusal": None}
    assert body["usage"]["prompt_tokens"] == -(-len(PROMPT) // 4)


async def test_a_bound_on_tokens_cuts_the_answer() -> None:
    async with serving(speed=math.inf) as pair, post(pair, body_of(max_completion_tokens=5)) as response:
        body = await response.json()

    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 5
    assert TEXT.startswith(body["choices"][0]["message"]["content"])


async def test_every_delta_is_written_as_soon_as_it_is_due() -> None:
    async with serving() as pair, post(pair, body_of("dripping", stream=True)) as response:
        first = await response.content.readuntil(b"\n\n")
        second = await response.content.readuntil(b"\n\n")

    assert events_of(first)[0]["choices"][0]["delta"]["role"] == "assistant"
    assert TEXT.startswith(events_of(second)[0]["choices"][0]["delta"]["content"])


async def test_models_and_health_are_served() -> None:
    async with serving() as (simulator, session):
        async with session.get(f"{simulator.base_url}/models") as response:
            models = await response.json()
        async with session.get(f"{simulator.base_url}/models/slow") as response:
            model = await response.json()
        async with session.get(f"{simulator.base_url.removesuffix('/v1')}/healthz") as response:
            health = await response.json()

    assert [card["id"] for card in models["data"]] == ["dripping", "mini", "slow"]
    assert model["object"] == "model"
    assert health == {"status": "ok"}


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        (body_of("huge"), 404, "model_not_found", "dripping, mini, slow"),
        (body_of(prompt="Unheard of"), 404, "answer_not_found", "knows the answer"),
        (body_of(n=3), 400, None, "n must be 1"),
        ({"model": "mini"}, 400, None, "messages"),
    ],
)
async def test_what_cannot_be_answered_gets_an_error_that_clients_can_read(
    body: object, status: int, code: str | None, words: str
) -> None:
    async with serving() as pair:
        async with post(pair, body) as response:
            error = (await response.json())["error"]
        record = await only_record(pair[0])

    assert (response.status, error["code"]) == (status, code)
    assert words in error["message"]
    assert (record.status, record.closed_by) == (status, "server")


async def test_unknown_paths_and_methods_get_the_same_shape_of_error() -> None:
    async with serving() as (simulator, session):
        async with session.get(f"{simulator.base_url}/nowhere") as missing:
            missing_body = await missing.json()
        async with session.get(f"{simulator.base_url}/chat/completions") as wrong:
            wrong_body = await wrong.json()

    assert (missing.status, wrong.status) == (404, 405)
    assert {*missing_body["error"]} == {*wrong_body["error"]} == {"message", "type", "param", "code"}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_status_fault_answers_with_that_error(stream: bool, status: int) -> None:
    async with serving() as pair:
        async with post(pair, body_of(stream=stream), fault=str(status)) as response:
            body = await response.json()
        record = await only_record(pair[0])

    assert response.status == status
    assert "error" in body
    assert (record.closed_by, record.fault) == ("fault", str(status))


@pytest.mark.parametrize("stream", [True, False])
async def test_a_reset_fault_resets_the_connection_before_any_byte(stream: bool) -> None:
    async with serving() as pair:
        with pytest.raises(aiohttp.ClientOSError) as caught:
            await post(pair, body_of(stream=stream), fault="reset")
        record = await only_record(pair[0])

    assert caught.value.errno == errno.ECONNRESET
    assert (record.closed_by, record.fault, record.first_byte_s, record.status) == ("fault", "reset", None, 0)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_garbage_fault_sends_what_is_not_json(stream: bool) -> None:
    async with serving() as pair, post(pair, body_of(stream=stream), fault="garbage") as response:
        raw = await response.read()

    assert response.status == 200
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(raw.removeprefix(b"data: "))


async def test_a_mid_stream_error_follows_half_of_the_answer() -> None:
    async with serving(speed=math.inf) as pair:
        async with post(pair, body_of(stream=True), fault="mid_stream_error") as response:
            *events, error, end = events_of(await response.read())
        record = await only_record(pair[0])

    text = "".join(event["choices"][0]["delta"].get("content", "") for event in events)
    assert TEXT.startswith(text)
    assert 0 < len(text) < len(TEXT)
    assert error["error"]["type"] == "server_error"
    assert end is None
    assert (record.closed_by, record.finish_reason) == ("fault", "")


async def test_an_early_end_is_well_formed_but_has_no_finish_reason() -> None:
    async with (
        serving(speed=math.inf) as pair,
        post(pair, body_of(stream=True), fault="early_end") as response,
    ):
        *events, end = events_of(await response.read())

    assert end is None
    assert all(event["choices"][0]["finish_reason"] is None for event in events)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_cut_closes_the_connection_within_the_body(stream: bool) -> None:
    async with serving(speed=math.inf) as pair:
        async with post(pair, body_of(stream=stream), fault="cut") as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        record = await only_record(pair[0])

    assert (record.closed_by, record.finished) == ("fault", False)


@pytest.mark.parametrize("fault", ["hang", "stall"])
async def test_silence_ends_only_when_the_client_leaves(fault: str) -> None:
    async with serving(speed=math.inf) as pair:
        timeout = aiohttp.ClientTimeout(total=0.2)
        with pytest.raises(asyncio.TimeoutError):
            async with pair[1].post(
                f"{pair[0].base_url}/chat/completions",
                json=body_of(stream=True),
                headers={FAULT_HEADER: fault},
                timeout=timeout,
            ) as response:
                await response.read()
        record = await only_record(pair[0])

    assert (record.closed_by, record.fault) == ("client", fault)
    assert (record.first_byte_s is None) == (fault == "hang")


async def test_an_unknown_fault_is_refused() -> None:
    async with serving() as pair, post(pair, body_of(), fault="hiccup") as response:
        error = (await response.json())["error"]

    assert response.status == 400
    assert "hiccup" in error["message"]


async def test_faults_strike_by_probability_and_spare_other_tiers() -> None:
    rates = (parse_fault_rate("mini:429:1"),)
    async with serving(fault_rates=rates, speed=math.inf) as pair:
        async with post(pair, body_of("mini")) as struck:
            pass
        async with post(pair, body_of("slow")) as spared:
            pass

    assert (struck.status, struck.headers["Retry-After"], spared.status) == (429, "1", 200)


@pytest.mark.parametrize("model", ["slow", "dripping"])
@pytest.mark.parametrize("abrupt", [True, False])
async def test_a_client_that_leaves_is_noticed_at_once(model: str, abrupt: bool) -> None:
    async with Simulator(settings_of()) as simulator:
        host, port = simulator.base_url.removeprefix("http://").removesuffix("/v1").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        body = orjson.dumps(body_of(model, stream=True))
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        writer.write(head + body)
        await simulator.log.until(lambda log: log.in_flight == 1)
        if model == "dripping":
            await reader.readuntil(b'"content":"The')

        left_s = asyncio.get_running_loop().time()
        writer.transport.abort() if abrupt else writer.close()
        record = await only_record(simulator)

    assert (record.closed_by, record.finished) == ("client", False)
    assert (record.first_byte_s is None) == (model == "slow")
    # It takes 0.2 ms; the bound allows for a machine that is busy with other tests.
    assert record.end_s - left_s < 0.5


async def test_a_stop_cuts_off_what_runs_and_logs_it_as_the_servers_doing() -> None:
    simulator = Simulator(settings_of())
    async with aiohttp.ClientSession() as session:
        await simulator.start()
        call = asyncio.ensure_future(session.post(f"{simulator.base_url}/chat/completions", json=body_of("slow")))
        await simulator.log.until(lambda log: log.in_flight == 1)
        await simulator.stop()
        with pytest.raises(aiohttp.ClientError):
            await call

    record = await only_record(simulator)
    assert (record.closed_by, record.finished) == ("server", False)


async def test_requests_at_once_get_each_their_own_answer() -> None:
    known = [KnownAnswer(f"echo {index}", "", f"this is answer {index}.", "") for index in range(200)]
    async with serving(book=KnownAnswers(known, TIERS)) as pair:

        async def ask(item: KnownAnswer) -> bool:
            async with post(pair, body_of(prompt=item.prompt)) as response:
                return bool((await response.json())["choices"][0]["message"]["content"] == item.right)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(item)) for item in known]

    assert all(task.result() for task in tasks)


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="speed must be more than 0"):
        settings_of(speed=0)
    with pytest.raises(ValueError, match="not a tier"):
        settings_of(fault_rates=(parse_fault_rate("maxi:429:0.1"),))
    with pytest.raises(ValueError, match="not a tier"):
        settings_of(tiers=TIERS[:1])


# The verb, alone on an application of its own.

APP = typer.Typer()
APP.command()(simulate)
PROGRAM = "import typer; from specroute.cli.simulate import simulate; a = typer.Typer(); a.command()(simulate); a()"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_verb_prints_where_it_listens_and_ends_cleanly_when_told(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "requests.jsonl"
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        PROGRAM,
        "--listen",
        "127.0.0.1:0",
        "--log",
        str(log),
        "--speed",
        "0",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        url = line.removeprefix("listening on ").strip()

        async def ask() -> int:
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"{url}/chat/completions", json=body_of("large", "anything")) as response,
            ):
                return response.status

        status = asyncio.run(ask())
        os.kill(process.pid, number)
        rest, errors = process.communicate(timeout=20)

    assert line.startswith("listening on http://127.0.0.1:")
    assert line.endswith("/v1\n")
    assert not url.endswith(":0/v1")
    assert (status, process.returncode, rest, errors) == (200, 0, "", "")
    assert orjson.loads(log.read_bytes())["closed_by"] == "server"
    assert b"anything" not in log.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--listen", "8081"], 2, "HOST:PORT"),
        (["--listen", "127.0.0.1:99999"], 2, "HOST:PORT"),
        (["--tier", "mini:tftt=1s"], 2, "did you mean ttft="),
        (["--fault", "429:2"], 2, "PROBABILITY"),
        (["--fault", "maxi:429:0.5"], 2, "not a tier"),
        (["--fault", "429:0.7", "--fault", "hang:0.7"], 2, "add up"),
        (["--speed", "-1"], 2, "--speed"),
        (["--speed", "nan"], 2, "--speed"),
        (["--log", "/nowhere/at/all.jsonl", "--listen", "127.0.0.1:0"], 1, "/nowhere/at/all.jsonl"),
        (["--listen", "192.0.2.1:1"], 1, "192.0.2.1"),
    ],
)
def test_the_verb_refuses_in_one_line(arguments: list[str], code: int, words: str) -> None:
    result = CliRunner().invoke(APP, arguments)

    assert result.exit_code == code
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_the_verb_names_file_and_pairs_that_do_not_fit(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    row: dict[str, Any] = {"pair": "a|b", "prompt": "p", "output_format": "letter", "mini_correct": True}
    for tier in ("mini", "large"):
        row |= {f"{tier}_model": tier, f"{tier}_response": "x", f"{tier}_input_tokens": 1.0,
                f"{tier}_output_tokens": 1.0, f"{tier}_latency_s": 1.0}  # fmt: skip
    path = tmp_path / "outcomes.parquet"
    pq.write_table(pa.Table.from_pylist([row]), path)
    text = tmp_path / "notes.txt"
    text.write_text("no parquet")

    pair, not_parquet = (
        CliRunner().invoke(APP, ["--outcomes", str(name), "--listen", "127.0.0.1:0"]) for name in (path, text)
    )

    assert (pair.exit_code, not_parquet.exit_code) == (1, 1)
    assert f"{path}: no rows of pair 'gpt-4o-mini|gpt-4o'; --pair is one of: a|b" in pair.stderr
    assert f"{text}: unknown suffix '.txt'" in not_parquet.stderr


def test_without_pyarrow_the_verb_says_what_to_install(tmp_path: Path) -> None:
    # A folder that holds a broken pyarrow stands for a machine without it.
    (tmp_path / "pyarrow.py").write_text("raise ModuleNotFoundError(\"No module named 'pyarrow'\", name='pyarrow')\n")
    command = [sys.executable, "-c", PROGRAM, "--outcomes", "any.parquet"]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, check=False)

    assert done.returncode == 1
    assert done.stderr == b"specroute simulate: --outcomes needs pyarrow: pip install 'specroute[train]'\n"


def test_the_default_pair_is_that_of_the_reader_of_outcomes() -> None:
    recorded = pytest.importorskip("specroute.upstreams.simulated.recorded")

    assert inspect.signature(simulate).parameters["pair"].default == recorded.DEFAULT_PAIR


def test_help_has_an_example() -> None:
    result = CliRunner().invoke(APP, ["--help"])

    assert result.exit_code == 0
    assert "Example: specroute simulate --listen" in result.stdout


async def recorded_rows(path: Path) -> list[dict[str, Any]]:
    pq = pytest.importorskip("pyarrow.parquet")
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return [row for row in rows if row["pair"] == "gpt-4o-mini|gpt-4o" and row["mini_response"] is not None]


async def test_every_recorded_prompt_is_answered_with_what_was_recorded() -> None:
    if "SPECROUTE_OUTCOMES" not in os.environ:
        pytest.skip("SPECROUTE_OUTCOMES names no file of recorded outcomes")
    from specroute.load.recorded_cases import recorded_book
    from specroute.upstreams.simulated.profile import DEFAULT_TIERS
    from specroute.upstreams.simulated.recorded import DEFAULT_PAIR

    path = Path(os.environ["SPECROUTE_OUTCOMES"])
    async with serving(tiers=DEFAULT_TIERS, book=recorded_book(path, DEFAULT_PAIR), speed=math.inf) as pair:
        for row in await recorded_rows(path):
            for tier in ("mini", "large"):
                async with post(pair, body_of(tier, row["prompt"])) as response:
                    body = await response.json()
                message = body["choices"][0]["message"]
                calls = [{c["function"]["name"]: c["function"]["arguments"]} for c in message.get("tool_calls", [])]
                expected = row[f"{tier}_response"]
                assert (orjson.loads(expected) == calls) if calls else (expected == message["content"])
                assert body["usage"]["completion_tokens"] == row[f"{tier}_output_tokens"]
