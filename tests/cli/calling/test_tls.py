"""``route``, ``decide`` and ``bench`` against a service with TLS."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
from structlog.testing import capture_logs

from specroute.app import running
from specroute.config.load import parse_settings
from tests.cli.calling.commands import in_a_thread, run
from tests.edge.certificates import make_certificates
from tests.integration.conftest import as_yaml, config
from tests.integration.mock_upstream import MockUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

NOBODY = "127.0.0.1:1"


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("pems"))


@pytest.fixture(scope="module")
def mutual(pems: Path) -> Iterator[str]:
    """The address of a service that asks its clients for a certificate."""
    tls = {"cert_file": "server.pem", "key_file": "server.key", "client_ca_file": "ca.pem"}
    with service(pems, tls) as address:
        yield address


@contextmanager
def service(pems: Path, tls: dict[str, str]) -> Iterator[str]:
    async def serve(*, task_status: anyio.abc.TaskStatus[str]) -> None:
        async with MockUpstream() as upstream:
            document = config(upstream.base_url, tls=tls)
            with capture_logs():
                async with running(parse_settings(as_yaml(document), folder=pems, environ={})) as served:
                    task_status.started(served.addresses.serving)
                    await anyio.sleep_forever()

    with in_a_thread(serve) as address:
        yield address


def client(pems: Path, name: str = "client") -> tuple[str, ...]:
    return ("--ca", str(pems / "ca.pem"), "--cert", str(pems / f"{name}.pem"), "--key", str(pems / f"{name}.key"))


def test_every_verb_that_calls_a_server_does_so_with_a_client_certificate(pems: Path, mutual: str) -> None:
    to = ("--server", mutual, *client(pems))
    calls = [
        run("route", "Hi", *to),
        run("route", "Hi", "--stream", *to),
        run("route", "Hi", "--stream", "--json", *to),
        run("decide", "Hi", *to),
    ]
    load = run("bench", "--requests", "3", "--rate", "50", "--warmup", "0s", *to)

    assert [(done.exit_code, done.stderr) for done in calls] == [(0, "")] * len(calls)
    assert all(done.stdout for done in calls)
    assert load.exit_code == 0
    assert "UNAVAILABLE" not in load.stdout + load.stderr


@pytest.mark.parametrize("verb", ["route", "decide", "bench"])
def test_a_failed_handshake_is_all_that_stderr_says(verb: str, pems: Path, mutual: str) -> None:
    prompt = () if verb == "bench" else ("Hi",)
    command = (sys.executable, "-m", "specroute", verb, *prompt, "--server", mutual, "--ca", str(pems / "other.pem"))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    (line,) = done.stderr.splitlines()
    assert f"the certificate of the server at {mutual} is not signed by --ca {pems / 'other.pem'}" in line
    assert (done.returncode, done.stdout) == (1, "")


def test_a_verb_without_tls_says_which_options_there_are(mutual: str) -> None:
    for arguments in (("route", "Hi"), ("route", "Hi", "--stream"), ("decide", "Hi"), ("bench",)):
        done = run(*arguments, "--server", mutual)

        assert done.exit_code == 1
        assert done.stderr.endswith("; if it speaks TLS add --tls, or --ca FILE with its CA\n")


def test_tls_alone_trusts_the_roots_of_the_system(
    pems: Path, mutual: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(pems / "ca.pem"))
    with service(pems, {"cert_file": "server.pem", "key_file": "server.key"}) as address:
        done = run("decide", "Hi", "--server", address, "--tls")

    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.parametrize("verb", [("route", "Hi"), ("decide", "Hi"), ("bench",)])
def test_files_that_cannot_be_used_are_one_line_before_anything_is_sent(verb: tuple[str, ...], tmp_path: Path) -> None:
    absent = str(tmp_path / "absent.pem")
    alone = run(*verb, "--server", NOBODY, "--cert", absent)
    unread = run(*verb, "--server", NOBODY, "--ca", absent)

    start = "specroute bench: " if verb == ("bench",) else ""
    assert alone.exit_code == 2
    assert alone.stderr.startswith(f"{start}--cert without --key: ")
    assert unread.exit_code == 1
    assert unread.stderr == f"{start}--ca {absent}: No such file or directory; give a PEM file that can be read\n"
