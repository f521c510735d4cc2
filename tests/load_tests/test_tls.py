"""How the Locust users come to a service with TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from load_tests.inside.options import OptionsError, settings_of
from specroute.edge.client.channel import ClientTls
from tests.edge.certificates import make_certificates
from tests.load_tests.test_options import options

if TYPE_CHECKING:
    from pathlib import Path

HOST = "router.example:443"


def test_a_host_is_called_in_plaintext_unless_it_is_https() -> None:
    plain = settings_of(options(), HOST, is_distributed=False)
    secured = settings_of(options(), f"https://{HOST}", is_distributed=False)

    assert (plain.server, plain.tls) == (HOST, None)
    assert (secured.server, secured.tls) == (HOST, ClientTls())


def test_a_file_asks_for_tls_too(tmp_path: Path) -> None:
    pems = make_certificates(tmp_path)
    ca, cert, key = pems / "ca.pem", pems / "client.pem", pems / "client.key"
    found = options("--ca", str(ca), "--cert", str(cert), "--key", str(key))

    assert settings_of(found, HOST, is_distributed=False).tls == ClientTls(ca, cert, key)
    assert all(isinstance(value, (str, int, float, list, type(None))) for value in vars(found).values())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--cert", "x.pem"), "--cert without --key"), (("--ca", "absent.pem"), "--ca absent.pem: No such file")],
)
def test_files_that_cannot_be_used_are_refused(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(OptionsError, match=said):
        settings_of(options(*arguments), HOST, is_distributed=False)
