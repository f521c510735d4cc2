"""``python -m specroute.edge.client.probe HOST:PORT``: asks a server whether it serves, for containers.

The standard gRPC health protocol, over plain text. Exit 0: serving. Exit 1: it is not, or does not answer in time; one
line says which. Exit 2: wrong usage. Kubernetes has such a probe of its own; this one is for everything else.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, cast

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_S = 3.0


def probe(target: str, service: str = "", *, timeout_s: float = TIMEOUT_S) -> str:
    """Returns the health that the server at ``target`` reports: SERVING, NOT_SERVING, or the status it failed with.

    Args:
        target: HOST:PORT.
        service: full name of a gRPC service; "" asks for the whole server.
        timeout_s: for connecting and answering together, > 0.
    """
    request = health_pb2.HealthCheckRequest(service=service)
    # A proxy from the environment is not on the way to a server's own health.
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            response = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout_s)
        except grpc.RpcError as error:
            return cast("grpc.Call", error).code().name
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(response.status))


def main(arguments: Sequence[str] | None = None) -> int:
    """Probes the server that the arguments name and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m specroute.edge.client.probe", description="Is the server serving?")
    parser.add_argument("target", metavar="HOST:PORT")
    parser.add_argument("--service", default="", metavar="NAME", help="a gRPC service; default: the whole server")
    parser.add_argument("--timeout", default=TIMEOUT_S, type=float, metavar="SECONDS", help="default: %(default)s")
    options = parser.parse_args(arguments)
    if options.timeout <= 0:
        parser.error("--timeout must be > 0")
    health = probe(options.target, options.service, timeout_s=options.timeout)
    if health == "SERVING":
        return 0
    sys.stderr.write(f"{options.target}: {health}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
