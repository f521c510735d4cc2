"""Made-up calls, as a generator notes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specroute.core.outcome import AttemptEnd, MoneySummary
from specroute.load.records import OK, CallRecord, LoadRun
from tests.demo.builders import FakeCase, answered, attempt, receipt

if TYPE_CHECKING:
    from specroute.edge.client.aio import Receipt


def paid(delivered: int, waste: int = 0, always_large: int = 0, tier: str = "mini") -> Receipt:
    """A receipt over so many nano-USD."""
    told = receipt(attempt(tier, AttemptEnd.WON, cost=delivered))
    return type(told)(**{**fields_of(told), "money": MoneySummary(delivered, waste, always_large)})


def fields_of(told: Receipt) -> dict[str, Any]:
    return {name: getattr(told, name) for name in type(told).__slots__}


def call(index: int = 0, *, latency_s: float = 1.0, late_s: float = 0.0, status: str = OK, **fields: Any) -> CallRecord:
    """A call that was meant to be sent at second ``index``, answered by mini for 10 nano-USD unless it failed."""
    told = fields.pop("receipt", paid(10) if status == OK else None)
    defaults = {
        "case": FakeCase(),
        "first_token_s": None,
        "answer": answered("mini", told) if status == OK else None,
        "is_right": status == OK,
        "is_from_its_tier": True,
    }
    return CallRecord(
        index=index,
        intended_s=float(index),
        sent_s=index + late_s,
        done_s=index + latency_s,
        status=status,
        receipt=told,
        **(defaults | fields),
    )


def run_of(*records: CallRecord, **fields: Any) -> LoadRun:
    return LoadRun(list(records), **({"intended": len(records)} | fields))
