"""``python -m specroute.edge.client.probe HOST:PORT``: asks a server whether it serves, for containers.

The standard gRPC health protocol, in plaintext or with TLS. Exit 0: serving. Exit 1: it is not, or does not answer in
time; one line says which. Exit 2: wrong usage. Kubernetes has such a probe of its own, without TLS; this one is for
everything else.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from specroute.edge.client.channel import ClientTls, handshake_failure, open_channel

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Health:
    """What a server says of itself.

    Attributes:
        status: SERVING, NOT_SERVING, or the status that the call failed with.
        why: where the handshake failed, one line that says what to change; else "".
    """

    status: str
    why: str = ""


def ask_health(target: str, service: str = "", *, tls: ClientTls | None = None, timeout_s: float = TIMEOUT_S) -> Health:
    """Returns the health that the server at ``target`` reports.

    Args:
        target: HOST:PORT.
        service: full name of a gRPC service; "" asks for the whole server.
        tls: how the connection is secured; ``None``: it is in plaintext.
        timeout_s: for connecting and answering together, > 0.

    Raises:
        TlsFileError: a file of ``tls`` cannot be used.
    """
    request = health_pb2.HealthCheckRequest(service=service)
    # A proxy from the environment is not on the way to a server's own health.
    with open_channel(target, tls, [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            response = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout_s)
        except grpc.RpcError as error:
            call = cast("grpc.Call", error)
            return Health(call.code().name, handshake_failure(target, tls, " ".join((call.details() or "").split())))
    return Health(str(health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Probes the server that the arguments name and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m specroute.edge.client.probe", description="Is the server serving?")
    parser.add_argument("target", metavar="HOST:PORT")
    parser.add_argument("--service", default="", metavar="NAME", help="a gRPC service; default: the whole server")
    parser.add_argument("--timeout", default=TIMEOUT_S, type=float, metavar="SECONDS", help="default: %(default)s")
    parser.add_argument("--tls", action="store_true", help="connect with TLS; trust the system's roots")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="connect with TLS; trust these roots (PEM)")
    parser.add_argument("--cert", type=Path, metavar="FILE", help="connect with TLS and this client certificate (PEM)")
    parser.add_argument("--key", type=Path, metavar="FILE", help="the key of --cert (PEM, no password)")
    options = parser.parse_args(arguments)
    if options.timeout <= 0:
        parser.error("--timeout must be > 0")
    secured = options.tls or options.ca or options.cert or options.key
    try:
        tls = ClientTls(options.ca, options.cert, options.key) if secured else None
        health = ask_health(options.target, options.service, tls=tls, timeout_s=options.timeout)
    except ValueError as error:
        parser.error(str(error))
    if health.status == "SERVING":
        return 0
    sys.stderr.write(f"{options.target}: {health.status}{f'; {health.why}' if health.why else ''}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
