"""All clients against servers with TLS and without, over sockets, and what a failed handshake is called."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from specroute.core.request import Message, Role, RouteRequest
from specroute.edge.client import blocking, probe
from specroute.edge.client.aio import Answered, RouteFailed, RouterClient
from specroute.edge.client.channel import ClientTls, TlsFileError, credentials, handshake_failure
from specroute.edge.client.session import RouterSession
from specroute.v1.router_pb2_grpc import add_RouterServiceServicer_to_server
from tests.edge.certificates import client_tls, make_certificates, openssl
from tests.edge.scripted_server import WAIT_S, ScriptedRouter, committed, completed, decided, delta

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

LONG = "x" * (5 << 20)
"""More than gRPC takes in one message unless a channel's options say otherwise."""

HI = RouteRequest("r-1", (Message(Role.USER, "Hi"),))
HI_MESSAGE = blocking.prompt_request("Hi")
SCRIPT = (decided("mini"), committed(0, "mini"), delta(LONG), completed(LONG))


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("pems"))


@contextmanager
def serving(pems: Path, certificate: str | None = "server", *, asks_clients: bool = False) -> Iterator[str]:
    """Runs a server, in plaintext without a ``certificate``; gives its address."""
    server = grpc.server(ThreadPoolExecutor(4))
    add_RouterServiceServicer_to_server(ScriptedRouter(list(SCRIPT)), server)
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    if certificate is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        pair = ((pems / f"{certificate}.key").read_bytes(), (pems / f"{certificate}.pem").read_bytes())
        roots = (pems / "ca.pem").read_bytes() if asks_clients else None
        secured = grpc.ssl_server_credentials([pair], roots, require_client_auth=asks_clients)
        port = server.add_secure_port("127.0.0.1:0", secured)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


async def text_by_event_loop(address: str, tls: ClientTls | None) -> str:
    async with RouterClient(address, tls) as client, aclosing(client.stream(HI, timeout_s=WAIT_S)) as events:
        *_, last = [event async for event in events]
    assert isinstance(last, Answered)
    return last.text


async def test_every_client_speaks_tls_with_and_without_a_certificate_and_keeps_its_options(pems: Path) -> None:
    for asks_clients in (False, True):
        tls = client_tls(pems, client="client" if asks_clients else None)
        with serving(pems, asks_clients=asks_clients) as address:
            assert await text_by_event_loop(address, tls) == LONG
            *_, last = blocking.route_stream(address, HI_MESSAGE, timeout_s=WAIT_S, tls=tls)
            assert last.completed.output.text == LONG
            with RouterSession(address, tls) as session:
                assert session.connect(timeout_s=WAIT_S)
                *_, end = session.stream(HI, timeout_s=WAIT_S)
            assert isinstance(end, Answered)
            assert end.text == LONG
            assert probe.ask_health(address, tls=tls) == probe.Health("SERVING")


async def test_without_a_ca_the_roots_of_the_system_are_trusted(pems: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(pems / "ca.pem"))

    with serving(pems) as address:
        assert await text_by_event_loop(address, ClientTls()) == LONG


def why(address: str, tls: ClientTls | None) -> str:
    """Returns what both ways to call say of a handshake that fails; they must agree."""
    with pytest.raises(blocking.CallFailed) as caught:
        blocking.decide(address, HI_MESSAGE, WAIT_S, tls)
    assert probe.ask_health(address, tls=tls, timeout_s=WAIT_S) == probe.Health("UNAVAILABLE", caught.value.message)
    assert str(caught.value) == f"UNAVAILABLE: {caught.value.message}"
    return caught.value.message.replace(address, "S")


def test_a_plaintext_client_of_a_tls_server_is_told_to_add_tls(pems: Path) -> None:
    for asks_clients in (False, True):
        with serving(pems, asks_clients=asks_clients) as address:
            said = why(address, None)

        assert said.startswith("the server at S hung up on a plaintext connection; ")
        assert said.endswith("; if it speaks TLS add --tls, or --ca FILE with its CA")


def test_a_tls_client_of_a_plaintext_server_is_told_to_leave_tls_out(pems: Path) -> None:
    with serving(pems, None) as address:
        assert why(address, client_tls(pems)) == (
            "the server at S does not speak TLS; leave out --tls, --ca, --cert and --key, or give its TLS port"
        )


def test_a_certificate_by_another_ca_names_the_file_that_did_not_sign_it(pems: Path) -> None:
    with serving(pems) as address:
        said = why(address, client_tls(pems, ca="other"))

    assert said.startswith(f"the certificate of the server at S is not signed by --ca {pems / 'other.pem'} (")
    assert said.endswith("); give its CA with --ca FILE")


def test_a_certificate_for_another_name_is_told_so(pems: Path) -> None:
    with serving(pems, "named") as address:
        assert why(address, client_tls(pems)) == (
            "the certificate of the server at S is for another name; give --server with a name or an IP that it holds"
        )


def test_a_missing_client_certificate_is_asked_for(pems: Path) -> None:
    with serving(pems, asks_clients=True) as address:
        said = why(address, client_tls(pems))

    assert said.endswith("hung up in the TLS handshake; if it asks for client certificates add --cert FILE --key FILE")


def test_a_client_certificate_that_the_server_does_not_trust_is_named(pems: Path) -> None:
    with serving(pems, asks_clients=True) as address:
        said = why(address, client_tls(pems, client="stranger"))

    assert f"it must trust the CA that signed --cert {pems / 'stranger.pem'};" in said


async def test_the_client_on_the_event_loop_ends_in_a_status(pems: Path) -> None:
    with serving(pems) as address, pytest.raises(RouteFailed) as caught:
        await text_by_event_loop(address, client_tls(pems, ca="other"))

    assert caught.value.code == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("details", "said"),
    [
        (
            "CERTIFICATE_VERIFY_FAILED: certificate has expired: OK",
            "cannot be trusted (certificate has expired); renew",
        ),
        ("CERTIFICATE_VERIFY_FAILED: self signed certificate: OK", "by the system's roots (self signed certificate)"),
        ("NO_SHARED_CIPHER: Invalid", "the TLS handshake with the server at S failed (NO_SHARED_CIPHER: Invalid)"),
    ],
)
def test_what_openssl_says_is_kept_without_the_names_of_its_own_places(details: str, said: str) -> None:
    start = "failed to connect to all addresses; last error: UNKNOWN: ipv4:1.2.3.4:1: Tls handshake failed (X): "
    line = handshake_failure("S", ClientTls(), f"{start}SSL_ERROR_SSL: error:1:SSL routines:OPENSSL_internal:{details}")

    assert said in line
    assert "OPENSSL" not in line
    assert "last error" not in line


@pytest.mark.parametrize(
    "details",
    ["Socket closed", "failed to connect to all addresses; last error: UNKNOWN: ipv4:1.2.3.4:1: Connection refused"],
)
def test_a_server_that_is_not_there_is_no_failed_handshake(details: str) -> None:
    assert handshake_failure("S", None, details) == handshake_failure("S", ClientTls(), details) == ""


@pytest.mark.parametrize(("given", "missing"), [("cert", "key"), ("key", "cert")])
def test_a_certificate_and_its_key_go_together(given: str, missing: str) -> None:
    files = {f"{given}_file": Path("x.pem")}

    with pytest.raises(ValueError, match=f"^--{given} without --{missing}: .*; add --{missing}$"):
        ClientTls(**files)


def test_a_file_that_cannot_be_used_is_one_line_with_its_option(pems: Path) -> None:
    openssl(pems, "ec", "-in", "client.key", "-aes256", "-passout", "pass:secret", "-out", "locked.key")
    absent, ca, cert, key = pems / "absent", pems / "ca.pem", pems / "client.pem", pems / "client.key"
    lines = {
        ClientTls(absent): f"--ca {absent}: No such file or directory; give a PEM file that can be read",
        ClientTls(pems): f"--ca {pems}: Is a directory; give a PEM file that can be read",
        ClientTls(key): f"--ca {key}: holds no certificate; give a PEM file with the roots to trust",
        ClientTls(ca, absent, key): f"--cert {absent}: No such file or directory; give a PEM file that can be read",
        ClientTls(ca, cert, absent): f"--key {absent}: No such file or directory; give a PEM file that can be read",
        ClientTls(ca, cert, pems / "server.key"): "the key is another certificate's; give the one that belongs to it",
        ClientTls(ca, cert, pems / "locked.key"): "give a PEM certificate and its PEM key without a password",
        ClientTls(ca, key, key): "give a PEM certificate and its PEM key without a password",
    }

    for tls, line in lines.items():
        with pytest.raises(TlsFileError) as caught:
            credentials(tls)
        assert str(caught.value).endswith(line)
        assert "\n" not in str(caught.value)


def test_the_probe_takes_the_same_options(pems: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {name: str(pems / name) for name in ("ca.pem", "other.pem", "client.pem", "client.key")}
    with serving(pems, asks_clients=True) as address:
        mutual = ("--ca", files["ca.pem"], "--cert", files["client.pem"], "--key", files["client.key"])
        assert probe.main([address, *mutual]) == 0
        assert probe.main([address, "--ca", files["other.pem"]]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"{address}: UNAVAILABLE; the certificate of the server at {address} is not signed by")


def test_the_probe_refuses_a_certificate_without_its_key(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        probe.main(["127.0.0.1:1", "--cert", "x.pem"])

    assert ended.value.code == 2
    assert "--cert without --key" in capsys.readouterr().err
