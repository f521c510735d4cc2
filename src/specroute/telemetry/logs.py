"""Structured logs: one JSON object a line on stderr, about what an operator can act on; never prompt, answer, secret.

Successes are counted, not logged. What is logged of a request is its id, its plan and how its calls ended, all of it
from this service's own words. An exception is logged by type and place, without its message, which may quote a prompt.
"""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import structlog

if TYPE_CHECKING:
    from specroute.core.outcome import Decision
    from specroute.core.ports import Telemetry

QUIET_OUTCOMES = frozenset({"ok", "cancelled"})
SHOWN_FRAMES = 8


def configure_logs(level: str = "info") -> None:
    """Sends structured logs to stderr from ``level`` (debug, info, warning, error) upward."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )


def log_bug(request_id: str, error: BaseException) -> None:
    """Logs an exception that should not have happened, so that an operator can find it by the request's id."""
    frames = traceback.extract_tb(error.__traceback__)[-SHOWN_FRAMES:]
    place = [f"{Path(frame.filename).name}:{frame.lineno}:{frame.name}" for frame in frames]
    structlog.get_logger().error("internal_error", request_id=request_id, type=type(error).__name__, place=place)


def log_certificate(name: str, statement: str) -> None:
    """Logs by which certificate the service decides, and what it promises."""
    structlog.get_logger().info("certificate", certificate=name, statement=statement)


def log_stale_tuning(warning: str) -> None:
    """Warns that the service is no longer what its thresholds were tuned for."""
    structlog.get_logger().warning("stale_tuning", warning=warning)


class LoggingTelemetry:
    """Passes everything on to another telemetry and logs the requests that did not end well."""

    def __init__(self, then: Telemetry) -> None:
        self._then = then
        self._log = structlog.get_logger()

    def leg_started(self, tier: str) -> None:
        """Passes it on."""
        self._then.leg_started(tier)

    def leg_ended(self, tier: str) -> None:
        """Passes it on."""
        self._then.leg_ended(tier)

    def refused(self, outcome: str) -> None:
        """Passes it on; the caller has the details."""
        self._then.refused(outcome)
        self._log.debug("request_refused", outcome=outcome)

    def decided(self, decision: Decision, outcome: str) -> None:
        """Logs a request that failed or was degraded."""
        self._then.decided(decision, outcome)
        if outcome in QUIET_OUTCOMES:
            return
        self._log.warning(
            "request_ended",
            outcome=outcome,
            request_id=decision.request_id,
            plan=decision.plan.kind.value,
            reason=decision.plan.reason,
            used_s=round(decision.used_s, 6),
            attempts=[
                {"upstream": attempt.upstream, "end": attempt.end.value, "reason": attempt.reason}
                for attempt in decision.attempts
            ],
        )
