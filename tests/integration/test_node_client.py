"""``@grpc/grpc-js`` against the running service: a whole stream, and a caller that cancels in each window."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import grpc
import pytest

from tests.integration.mock_upstream import MockUpstream, Reply, Script, drips, hangs, says
from tests.integration.reflection_client import prompt_fields
from tests.integration.stream_calls import COMMITTED, HELD_FOR_EVER, PROVISIONAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import Process

    from tests.integration.conftest import Service

ROOT = Path(__file__).parents[2]
CLIENT = Path(__file__).with_name("node_client") / "client.js"
MODULES = ROOT / ".venv" / "grpc_js" / "node_modules"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.anyio,
    pytest.mark.skipif(NODE is None, reason="no node in PATH"),
    pytest.mark.skipif(not MODULES.is_dir(), reason="no @grpc/grpc-js; scripts/install_grpc_js gets it where npm is"),
]

CLOSED_WITHIN_S = 0.1
ANSWERS_WITHIN_S = 30.0
PIECES = 5
JSON: dict[str, Any] = {"output": {"json_object": {}}}
PIECES_OF_OSLO = ("Oslo is ", "the capital ", "of Norway: ", "größte Stadt, 🦊.")


@dataclass
class NodeClient:
    """A process that makes the calls it is told to, and what it told of them."""

    process: Process
    told: list[dict[str, Any]] = field(default_factory=list)
    _changed: anyio.Event = field(default_factory=anyio.Event)

    async def listen(self) -> None:
        """Reads what the process tells, until it ends."""
        assert self.process.stdout is not None
        rest = b""
        async for data in self.process.stdout:
            *lines, rest = (rest + data).split(b"\n")
            self.told += [json.loads(line) for line in lines]
            self._changed.set()
            self._changed = anyio.Event()

    async def order(self, **order: Any) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.send(json.dumps(order).encode() + b"\n")

    async def stream(self, call_id: str, prompt: str, delivery: dict[str, Any], **fields: Any) -> None:
        await self.order(start=call_id, request={"request": prompt_fields(prompt) | fields} | delivery)

    async def until_told(self, call_id: str, what: str, times: int = 1) -> list[Any]:
        """Waits for ``what``, an event or a key, of one call; returns all of it that came."""
        with anyio.fail_after(ANSWERS_WITHIN_S):
            while len(found := self.of(call_id, what)) < times:
                await self._changed.wait()
        return found

    async def until_ready(self) -> None:
        with anyio.fail_after(ANSWERS_WITHIN_S):
            while not self.told:
                await self._changed.wait()
        assert self.told == [{"ready": True}]

    def of(self, call_id: str, what: str) -> list[Any]:
        mine = [line for line in self.told if line.get("id") == call_id]
        return [line[what] if what in line else line["value"] for line in mine if what in (*line, line.get("event"))]

    def names(self, call_id: str) -> list[str]:
        return [line["event"] for line in self.told if line.get("id") == call_id and "event" in line]


@pytest.fixture(scope="module")
async def node(race: Service) -> AsyncIterator[NodeClient]:
    command = [str(NODE), str(CLIENT), race.app.addresses.serving, str(ROOT / "protos"), str(ROOT / "third_party")]
    process = await anyio.open_process(command, stderr=None, env={**os.environ, "NODE_PATH": str(MODULES)})
    client = NodeClient(process)
    async with process, anyio.create_task_group() as group:
        group.start_soon(client.listen)
        await client.until_ready()
        yield client
        assert process.stdin is not None
        await process.stdin.aclose()
        with anyio.fail_after(ANSWERS_WITHIN_S):
            assert await process.wait() == 0


async def test_grpc_js_streams_a_whole_answer(node: NodeClient, upstream: MockUpstream, nonce: str) -> None:
    prompt = upstream.on(nonce, mini=says(*PIECES_OF_OSLO, between_s=0.005), large=hangs())

    await node.stream(nonce, prompt, COMMITTED, request_id=nonce)
    (end,) = await node.until_told(nonce, "end")

    assert end["code"] == grpc.StatusCode.OK.value[0]
    names = node.names(nonce)
    assert [names[0], names[1], names[-1]] == ["decided", "committed", "completed"]
    assert set(names[2:-1]) == {"delta"}
    deltas = node.of(nonce, "delta")
    assert "".join(delta["text"] for delta in deltas) == "".join(PIECES_OF_OSLO)
    assert not any(delta.get("provisional") for delta in deltas)
    (completed,) = node.of(nonce, "completed")
    assert (completed["output"]["text"], completed["tier"]) == ("".join(PIECES_OF_OSLO), "mini")
    assert completed["decision"]["request_id"] == nonce
    assert completed["decision"]["commit"]["reason"] == node.of(nonce, "committed")[0]["reason"]


async def test_grpc_js_is_told_what_is_taken_back(node: NodeClient, upstream: MockUpstream, nonce: str) -> None:
    mini = says('{"by": ', '"mini', '", oops}', between_s=0.02)
    large = says('{"by": "large"}', after_s=0.2)

    await node.stream(nonce, upstream.on(nonce, mini=mini, large=large), PROVISIONAL, **JSON)
    (end,) = await node.until_told(nonce, "end")

    assert end["code"] == grpc.StatusCode.OK.value[0]
    (superseded,) = node.of(nonce, "superseded")
    (committed,) = node.of(nonce, "committed")
    standing = [delta["text"] for delta in node.of(nonce, "delta") if delta.get("leg", 0) != superseded.get("leg", 0)]
    assert (superseded.get("leg", 0), committed["leg"], "".join(standing)) == (0, 1, '{"by": "large"}')
    assert node.of(nonce, "completed")[0]["output"]["text"] == '{"by": "large"}'


async def test_grpc_js_is_told_why_a_stream_failed(node: NodeClient, upstream: MockUpstream, nonce: str) -> None:
    refuses = says("I'm sorry, but I can't help with that.")

    await node.stream(nonce, upstream.on(nonce, mini=refuses, large=refuses), COMMITTED)
    (end,) = await node.until_told(nonce, "end")

    assert (end["code"], end["reason"]) == (grpc.StatusCode.FAILED_PRECONDITION.value[0], "NO_ACCEPTABLE_ANSWER")
    assert node.names(nonce)[:2] == ["decided", "committed"]  # the last leg that can answer is shown as it comes
    assert "completed" not in node.names(nonce)


def in_pieces(beginning: str) -> Script:
    async def play(reply: Reply) -> None:
        reply.text(beginning)
        await drips("on and on ")(reply)

    return play


@pytest.mark.parametrize(
    ("script", "delivery", "fields", "until"),
    [
        pytest.param(hangs(), COMMITTED, {}, ("decided", 1), id="before_the_first_token"),
        pytest.param(in_pieces('{"a": "'), PROVISIONAL, JSON, ("delta", PIECES), id="midway_provisional"),
        pytest.param(in_pieces('{"a": "'), HELD_FOR_EVER, JSON, ("decided", 1), id="midway_held_back"),
        pytest.param(in_pieces("So "), COMMITTED, {}, ("delta", PIECES), id="after_the_commit"),
    ],
)
async def test_a_cancel_of_grpc_js_closes_every_call(
    node: NodeClient,
    upstream: MockUpstream,
    nonce: str,
    script: Script,
    delivery: dict[str, Any],
    fields: dict[str, Any],
    until: tuple[str, int],
) -> None:
    await node.stream(nonce, upstream.on(nonce, mini=script, large=script), delivery, **fields)
    await upstream.until_called(nonce, ["mini", "large"])
    await node.until_told(nonce, *until)

    await node.order(cancel=nonce)
    (cancelled_s,) = await node.until_told(nonce, "cancelled_s")
    (end,) = await node.until_told(nonce, "end")
    await upstream.until_closed(nonce)

    assert end["code"] == grpc.StatusCode.CANCELLED.value[0]
    last_s = max(call.closed_s or 0.0 for call in upstream.calls_of(nonce)) - cancelled_s
    print(f"closed after {last_s * 1e3:.1f} ms")  # noqa: T201
    assert last_s < CLOSED_WITHIN_S
    assert len(upstream.calls_of(nonce)) == 2
