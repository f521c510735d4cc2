"""What an operator reads: one JSON object a line, nothing of what was asked or answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import structlog

from specroute.telemetry.logs import configure_logs, log_bug

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_bug_is_logged_by_type_and_place_without_its_message(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    configure_logs()
    try:
        raise RuntimeError("about the secret prompt")
    except RuntimeError as error:
        log_bug("r-1", error)

    (line,) = capfdbinary.readouterr().err.splitlines()
    logged = json.loads(line)
    assert (logged["event"], logged["level"], logged["type"]) == ("internal_error", "error", "RuntimeError")
    assert logged["request_id"] == "r-1"
    assert logged["place"][-1].startswith("test_logs.py:")
    assert b"secret" not in line


def test_what_is_below_the_level_is_not_logged(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    configure_logs("warning")
    structlog.get_logger().info("unimportant")

    assert capfdbinary.readouterr().err == b""
