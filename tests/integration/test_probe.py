"""The health probe against a real server."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from specroute.edge.client import probe

pytestmark = pytest.mark.integration

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def servicer() -> health.HealthServicer:
    return health.HealthServicer()


@pytest.fixture
def target(servicer: health.HealthServicer) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(2))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_a_serving_server_passes_without_a_word(
    target: str, servicer: health.HealthServicer, capsys: pytest.CaptureFixture[str]
) -> None:
    servicer.set("", SERVING)

    assert probe.main([target]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_draining_server_fails_with_one_line(
    target: str, servicer: health.HealthServicer, capsys: pytest.CaptureFixture[str]
) -> None:
    servicer.set("", SERVING)
    servicer.enter_graceful_shutdown()

    assert probe.main([target]) == 1
    assert capsys.readouterr().err == f"{target}: NOT_SERVING\n"


def test_one_service_can_be_asked_for(target: str, servicer: health.HealthServicer) -> None:
    servicer.set("specroute.v1.RouterService", NOT_SERVING)

    assert probe.main([target]) == 0
    assert probe.main([target, "--service", "specroute.v1.RouterService"]) == 1


def test_an_unknown_service_fails_with_its_status(target: str) -> None:
    assert probe.ask_health(target, "no.such.Service").status == "NOT_FOUND"


def test_nobody_at_the_address_fails_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert probe.ask_health(f"127.0.0.1:{port}").status == "UNAVAILABLE"


def test_a_server_that_never_answers_fails_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert probe.ask_health(f"127.0.0.1:{server.getsockname()[1]}", timeout_s=0.2).status == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize("arguments", [[], ["127.0.0.1:1", "--timeout", "0"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        probe.main(arguments)

    assert stopped.value.code == 2
