"""What the command line adds to Locust's own, and its check. Values stay plain: a master sends them to its workers."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from load_tests.inside.shapes import SHAPES, STEADY
from specroute.edge.client.channel import ClientTls, credentials
from specroute.load.slo import parse_slo

if TYPE_CHECKING:
    from collections.abc import Callable

    from specroute.load.slo import Slo

DEFAULT_SERVER = "127.0.0.1:50051"
CHECKS = ("graded", "tier", "none")


class OptionsError(ValueError):
    """Options that do not go together; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one process was told.

    Attributes:
        server: HOST:PORT.
        rate: requests per second of all users together, > 0.
        check: ``graded``: answers are graded and must be what their tier said; ``tier``: no grades; ``none``: neither.
        requests: how many are sent in all; ``None``: as many as the time allows.
        outcomes: recorded prompts; ``None``: the built-in mix.
        tls: how connections are secured; ``None``: they are in plaintext.
    """

    server: str
    rate: float
    deadline_s: float
    seed: int
    shape: str
    check: str
    requests: int | None
    outcomes: Path | None
    pair: str
    slos: tuple[Slo, ...]
    report: Path | None
    rows: Path | None
    tls: ClientTls | None = None


def add_options(parser: Any) -> None:
    """Adds ours to Locust's parser, whose ``add_argument`` also takes ``include_in_web_ui``."""

    def add(name: str, **settings: Any) -> None:
        parser.add_argument(name, **{"include_in_web_ui": False, **settings})

    add("--rate", type=_more_than_0, default=8.0, metavar="RPS", include_in_web_ui=True,
        help="Requests per second of all users together; default: %(default)s.")  # fmt: skip
    add("--deadline", type=_more_than_0, default=30.0, metavar="SECONDS", include_in_web_ui=True,
        help="Of every request; default: %(default)s.")  # fmt: skip
    add("--shape", choices=(STEADY, *SHAPES), default=STEADY,
        help="How the number of users goes over --run-time, up to --users; default: %(default)s.")  # fmt: skip
    add("--requests", type=_count, default=None, metavar="N", help="Stop after so many.")
    add("--seed", type=int, default=0, help="Of the order of requests and of the waits; default: %(default)s.")
    add(
        "--outcomes", default=None, metavar="FILE", help="Send the recorded prompts of this file, not the built-in mix."
    )
    add("--pair", default="gpt-4o-mini|gpt-4o", metavar="MINI|LARGE", help="The pair of models of --outcomes.")
    add("--check", choices=CHECKS, default=CHECKS[0],
        help="graded: answers are right or wrong and what their tier said; tier: only the latter; none: neither, for "
        "models that are not simulated; default: %(default)s.")  # fmt: skip
    add("--slo", action="append", default=[], type=_slo, metavar="'p99<=2s'",
        help="Exit 1 unless it is kept; repeatable.")  # fmt: skip
    add("--report", default=None, metavar="FILE.json", help="Write figures, counts and SLOs.")
    add("--rows", default=None, metavar="FILE.jsonl", help="Write one line per call, no prompts.")
    add("--ca", default=None, metavar="FILE", help="Connect with TLS; trust these roots (PEM), not the system's.")
    add("--cert", default=None, metavar="FILE", help="Connect with TLS and this client certificate (PEM).")
    add("--key", default=None, metavar="FILE", help="The key of --cert (PEM, no password).")


def settings_of(options: Any, host: str | None, *, is_distributed: bool) -> Settings:
    """Returns the checked settings.

    Raises:
        OptionsError: they cannot be used.
    """
    if options.requests is not None and is_distributed:
        raise OptionsError("--requests counts in one process; leave it out or run without workers")
    if options.shape != STEADY and not options.run_time and not getattr(options, "worker", False):
        raise OptionsError(f"--shape {options.shape} needs --run-time, such as --run-time 60s")
    return Settings(
        server=server_address(host or DEFAULT_SERVER),
        rate=float(options.rate),
        deadline_s=float(options.deadline),
        seed=options.seed,
        shape=options.shape,
        check=options.check,
        requests=options.requests,
        outcomes=_path(options.outcomes),
        pair=options.pair,
        slos=tuple(parse_slo(text) for text in options.slo or ()),
        report=_path(options.report),
        rows=_path(options.rows),
        tls=tls_of(options, host or DEFAULT_SERVER),
    )


def tls_of(options: Any, host: str) -> ClientTls | None:
    """Returns how to secure connections to what Locust calls the host: with TLS if it is https or a file is given.

    Raises:
        OptionsError: the files do not go together, or one of them cannot be used.
    """
    files = [_path(text) for text in (options.ca, options.cert, options.key)]
    if not host.startswith("https://") and not any(files):
        return None
    try:
        wanted = ClientTls(*files)
        credentials(wanted)
    except ValueError as error:
        raise OptionsError(str(error)) from None
    return wanted


def server_address(host: str) -> str:
    """Returns HOST:PORT of what Locust calls the host.

    Raises:
        OptionsError: it has no port.
    """
    address = host.partition("://")[2] or host
    name, colon, port = address.rstrip("/").rpartition(":")
    if not colon or not name or not (port.isascii() and port.isdigit()):
        raise OptionsError(f"--host {host!r} is not HOST:PORT, as in {DEFAULT_SERVER}")
    return f"{name}:{port}"


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _checked(text: str, parse: Callable[[str], Any], wanted: str) -> Any:
    try:
        return parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}") from None


def _more_than_0(text: str) -> float:
    value: float = _checked(text, float, "a number")
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} must be more than 0")
    return value


def _count(text: str) -> int:
    value: int = _checked(text, int, "a whole number")
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be at least 1")
    return value


def _slo(text: str) -> str:
    """Returns ``text`` itself: what a master sends to its workers must be plain."""
    try:
        parse_slo(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
