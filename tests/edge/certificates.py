"""Certificates for tests with TLS, made on the spot by the ``openssl`` program."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from specroute.edge.client.channel import ClientTls

if TYPE_CHECKING:
    from pathlib import Path

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make_certificates(folder: Path) -> Path:
    """Fills ``folder`` with NAME.pem and NAME.key, and returns it.

    ``ca`` signs ``server`` (for 127.0.0.1), ``named`` (for another host) and ``client``; ``other`` signs ``stranger``.
    """
    if shutil.which("openssl") is None:
        pytest.skip("the openssl program is not there; it makes the certificates of this test")
    for name in ("ca", "other"):
        openssl(
            folder, "req", "-x509", *NEW_KEY, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"
        )
    sign(folder, "server", "ca", "IP:127.0.0.1")
    sign(folder, "named", "ca", "DNS:router.example")
    sign(folder, "client", "ca", "DNS:client")
    sign(folder, "stranger", "other", "DNS:client")
    return folder


def sign(folder: Path, name: str, signer: str, holder: str) -> None:
    openssl(folder, "req", *NEW_KEY, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    (folder / f"{name}.ext").write_text(f"subjectAltName={holder}\n")
    openssl(
        folder, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", f"{name}.ext", "-days", "2",
        "-CA", f"{signer}.pem", "-CAkey", f"{signer}.key", "-CAcreateserial",
    )  # fmt: skip


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(("openssl", *arguments), cwd=folder, check=True, capture_output=True)


def client_tls(pems: Path, *, ca: str | None = "ca", client: str | None = None) -> ClientTls:
    """Returns a client's side, of certificates by their names."""
    roots = None if ca is None else pems / f"{ca}.pem"
    if client is None:
        return ClientTls(roots)
    return ClientTls(roots, pems / f"{client}.pem", pems / f"{client}.key")
