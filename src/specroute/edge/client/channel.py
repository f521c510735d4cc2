"""Connections to a server, in plaintext or with TLS, and what a failed handshake means in one line.

Messages name the options of the command line (``--tls``, ``--ca``, ``--cert``, ``--key``), which this module's callers
share.
"""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from collections.abc import Sequence

    Options = Sequence[tuple[str, int]]

ROOT_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where systems keep their roots, for a Python whose OpenSSL looks elsewhere."""

NOT_CONNECTED = "failed to connect to all addresses"
HUNG_UP = ("Socket closed", "Connection reset", "Broken pipe")


class TlsFileError(ValueError):
    """A file of keys or certificates that cannot be used; the message is one line that says what to give."""


@dataclass(frozen=True, slots=True)
class ClientTls:
    """How a client trusts a server, and how it shows who it is; all files are PEM.

    Attributes:
        ca_file: the roots to trust; ``None``: the system's.
        cert_file: the client's certificate, for a server that asks for one; ``None``: it has none.
        key_file: its key, without a password.

    Raises:
        ValueError: a certificate without its key, or the other way round.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            given, missing = ("--key", "--cert") if self.cert_file is None else ("--cert", "--key")
            raise ValueError(f"{given} without {missing}: a client certificate and its key go together; add {missing}")


def open_channel(server: str, tls: ClientTls | None, options: Options) -> grpc.Channel:
    """Returns a blocking channel to ``server`` (HOST:PORT); ``tls`` ``None``: in plaintext.

    Raises:
        TlsFileError: a file of ``tls`` cannot be used.
    """
    if tls is None:
        return grpc.insecure_channel(server, options=options)
    return grpc.secure_channel(server, credentials(tls), options=options)


def open_aio_channel(server: str, tls: ClientTls | None, options: Options) -> grpc.aio.Channel:
    """Returns a channel to ``server`` (HOST:PORT) on the running event loop; ``tls`` ``None``: in plaintext.

    Raises:
        TlsFileError: a file of ``tls`` cannot be used.
    """
    if tls is None:
        return grpc.aio.insecure_channel(server, options=options)
    return grpc.aio.secure_channel(server, credentials(tls), options=options)


def credentials(tls: ClientTls) -> grpc.ChannelCredentials:
    """Returns what gRPC needs to know of ``tls``.

    gRPC itself finds out at the handshake and does not say which file was wrong, so they are checked here.

    Raises:
        TlsFileError: a file cannot be read, or does not hold what it should.
    """
    roots = _system_roots() if tls.ca_file is None else _roots(tls.ca_file)
    if tls.cert_file is None or tls.key_file is None:
        return grpc.ssl_channel_credentials(roots)
    certificate, key = _read("--cert", tls.cert_file), _read("--key", tls.key_file)
    try:
        _context().load_cert_chain(tls.cert_file, tls.key_file, password=lambda: "")
    except ssl.SSLError as error:
        pair = f"--cert {tls.cert_file}, --key {tls.key_file}"
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsFileError(f"{pair}: the key is another certificate's; give the one that belongs to it") from None
        raise TlsFileError(f"{pair}: give a PEM certificate and its PEM key without a password") from None
    return grpc.ssl_channel_credentials(roots, key, certificate)


def handshake_failure(server: str, tls: ClientTls | None, details: str) -> str:
    """Returns what went wrong between TCP and the first call, in one line that says what to change.

    Args:
        server: HOST:PORT.
        tls: what the channel was opened with.
        details: of a call that ended with UNAVAILABLE, as gRPC gives them.

    Returns:
        "": it was no handshake that failed; commonly nobody listens there.
    """
    if NOT_CONNECTED not in details:
        return ""
    hung_up = any(words in details for words in HUNG_UP)
    if tls is None:
        what = f"the server at {server} hung up on a plaintext connection"
        return f"{what}; if it speaks TLS add --tls, or --ca FILE with its CA" if hung_up else ""
    if hung_up:
        return f"the server at {server} hung up in the TLS handshake; {_about_client_certificate(tls)}"
    if "WRONG_VERSION_NUMBER" in details:
        return (
            f"the server at {server} does not speak TLS; leave out --tls, --ca, --cert and --key, or give its TLS port"
        )
    certificate = f"the certificate of the server at {server}"
    if "Hostname Verification" in details:
        return f"{certificate} is for another name; give --server with a name or an IP that it holds"
    if "CERTIFICATE_VERIFY_FAILED" in details:
        reason = _reason(details)
        if "expired" in reason or "not yet valid" in reason:
            return f"{certificate} cannot be trusted ({reason}); renew it, or set this machine's clock"
        trusted = "the system's roots" if tls.ca_file is None else f"--ca {tls.ca_file}"
        return f"{certificate} is not signed by {trusted} ({reason}); give its CA with --ca FILE"
    if "handshake" in details:
        return f"the TLS handshake with the server at {server} failed ({_reason(details)}); look at its certificate"
    return ""


def _about_client_certificate(tls: ClientTls) -> str:
    if tls.cert_file is None:
        return "if it asks for client certificates add --cert FILE --key FILE"
    return f"it must trust the CA that signed --cert {tls.cert_file}; give one that its tls.client_ca_file signed"


def _reason(details: str) -> str:
    """Returns what OpenSSL says, without its names for places in its own code and gRPC's verdict on the names."""
    reason = details.rpartition("OPENSSL_internal:")[2].removeprefix("CERTIFICATE_VERIFY_FAILED: ").removesuffix(": OK")
    return reason.rpartition("last error: ")[2]


def _roots(path: Path) -> bytes:
    roots = _read("--ca", path)
    try:
        _context().load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise TlsFileError(f"--ca {path}: holds no certificate; give a PEM file with the roots to trust") from None
    return roots


def _system_roots() -> bytes | None:
    """Returns the system's roots; ``None``: those that gRPC finds.

    gRPC for Python takes the public roots that it brings along, which know nothing of a company's own CA. A file that
    gRPC's own variable names goes before the system's, and ``SSL_CERT_FILE`` is the system's, as for OpenSSL.
    """
    if os.environ.get("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"):
        return None
    for path in (ssl.get_default_verify_paths().cafile or "", *ROOT_BUNDLES):
        with suppress(OSError):
            return Path(path).read_bytes()
    return None


def _read(option: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsFileError(f"{option} {path}: {error.strerror or error}; give a PEM file that can be read") from None


def _context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
