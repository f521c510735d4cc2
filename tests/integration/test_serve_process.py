"""``specroute serve`` as operators run it: ready line, drain, signals, and refusal to start."""

from __future__ import annotations

import re
import signal
import socket
import time

import anyio
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.integration.conftest import config, new_nonce
from tests.integration.mock_upstream import MockUpstream, hangs, says, waits_for
from tests.integration.reflection_client import ReflectionClient, prompt_fields
from tests.integration.service_process import refusal, service_process

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

NOWHERE = "http://127.0.0.1:1/v1"
READY = re.compile(r"serving on 127\.0\.0\.1:\d+ metrics on 127\.0\.0\.1:\d+")
PROMPTLY_S = 1.0


async def test_sigterm_lets_a_request_finish_and_then_exits_with_0(upstream: MockUpstream) -> None:
    nonce, done = new_nonce(), anyio.Event()
    document = config(upstream.base_url, drain={"delay": "100ms", "grace": "10s"})
    async with service_process(document) as process:
        assert READY.fullmatch(process.first_line)
        client = await ReflectionClient.connect(process.address)
        watch = health_pb2_grpc.HealthStub(client.channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        prompt = upstream.on(nonce, mini=waits_for(done, says("Finished.")), large=hangs())
        call = client.start("Route", client.request(prompt_fields(prompt)))
        await upstream.until_called(nonce, ["mini", "large"])

        process.process.send_signal(signal.SIGTERM)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        await until_refused(process.address)
        assert not call.done()
        done.set()
        reply = await call
        finished_s = time.monotonic()
        with anyio.fail_after(10):
            code = await process.process.wait()

        assert (reply.output.text, code) == ("Finished.", 0)
        assert time.monotonic() - finished_s < PROMPTLY_S
        assert process.stdout == []
        assert b"Traceback" not in b"".join(process.stderr)
        await client.close()


async def until_refused(address: str) -> None:
    """Waits until the listener is closed."""
    host, _, port = address.rpartition(":")
    with anyio.fail_after(5):
        while True:
            try:
                stream = await anyio.connect_tcp(host, int(port))
            except OSError:
                return
            await stream.aclose()
            await anyio.sleep(0.01)


async def test_an_idle_service_ends_promptly_even_with_a_health_watch_open(upstream: MockUpstream) -> None:
    document = config(upstream.base_url, drain={"delay": "0s", "grace": "30s"})
    async with service_process(document) as process:
        channel = grpc.aio.insecure_channel(process.address)
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        await watch.read()

        began_s = time.monotonic()
        assert await process.stop(signal.SIGINT) == 0
        assert time.monotonic() - began_s < PROMPTLY_S + 0.25
        await channel.close()


async def test_a_second_signal_stops_at_once_and_closes_the_calls(upstream: MockUpstream) -> None:
    nonce = new_nonce()
    document = config(upstream.base_url, drain={"delay": "20s", "grace": "20s"})
    async with service_process(document) as process:
        client = await ReflectionClient.connect(process.address)
        watch = health_pb2_grpc.HealthStub(client.channel).Watch(health_pb2.HealthCheckRequest())
        await watch.read()
        prompt = upstream.on(nonce, mini=hangs(), large=hangs())
        call = client.start("Route", client.request(prompt_fields(prompt)))
        await upstream.until_called(nonce, ["mini", "large"])
        process.process.send_signal(signal.SIGTERM)
        await watch.read()

        began_s = time.monotonic()
        await process.stop(signal.SIGTERM)
        assert time.monotonic() - began_s < PROMPTLY_S
        await upstream.until_closed(nonce)
        with pytest.raises(grpc.aio.AioRpcError):
            await call
        await client.close()


async def test_what_outlives_the_grace_is_cancelled(upstream: MockUpstream) -> None:
    nonce = new_nonce()
    async with service_process(config(upstream.base_url, drain={"delay": "0s", "grace": "200ms"})) as process:
        client = await ReflectionClient.connect(process.address)
        call = client.start("Route", client.request(prompt_fields(upstream.on(nonce, mini=hangs(), large=hangs()))))
        await upstream.until_called(nonce, ["mini", "large"])

        began_s = time.monotonic()
        assert await process.stop() == 0
        assert 0.2 <= time.monotonic() - began_s < 0.2 + PROMPTLY_S
        await upstream.until_closed(nonce)
        with pytest.raises(grpc.aio.AioRpcError):
            await call
        await client.close()


async def test_a_port_that_is_taken_is_refused_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = await anyio.to_thread.run_sync(refusal, config(NOWHERE) | {"listen": address})

    assert (done.returncode, done.stdout) == (1, "")
    (said,) = done.stderr.splitlines()
    assert address in said
