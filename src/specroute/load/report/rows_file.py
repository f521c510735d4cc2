"""One line per call, as CSV; no prompt and no answer is in it."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from specroute.load.figures import escalated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from specroute.load.records import CallRecord

COLUMNS = (
    *("index", "source", "intended_s", "sent_s", "first_token_s", "done_s", "latency_s", "service_s", "status"),
    *("request_id", "tier", "plan", "degraded", "escalated", "attempts", "is_right", "is_from_its_tier"),
    *("delivered_nano_usd", "waste_nano_usd", "always_large_nano_usd"),
)
"""Times: seconds from the end of the warm-up. What is not known is empty; yes and no are 1 and 0."""


def write_rows(records: Sequence[CallRecord], file: TextIO) -> None:
    """Writes the header and a line per call."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(_row, records))


def _row(record: CallRecord) -> tuple[object, ...]:
    answer, receipt = record.answer, record.receipt
    money = None if receipt is None else receipt.money
    return (
        *(record.index, record.case.source),
        *map(_seconds, (record.intended_s, record.sent_s, record.first_token_s, record.done_s)),
        *map(_seconds, (record.latency_s, record.service_s)),
        record.status,
        "" if receipt is None else receipt.message.request_id,
        "" if answer is None else answer.tier,
        "" if receipt is None or receipt.plan is None else receipt.plan.value,
        "" if answer is None else int(answer.degraded),
        "" if receipt is None else int(escalated(receipt)),
        "" if receipt is None else sum(attempt.upstream != "" for attempt in receipt.attempts),
        int(record.is_right),
        int(record.is_from_its_tier),
        *(
            ("", "", "")
            if money is None
            else (money.delivered_nano_usd, money.waste_nano_usd, money.always_large_estimate_nano_usd)
        ),
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
