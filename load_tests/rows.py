"""One call of a load test, as it is kept: numbers and names, never a prompt or an answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import orjson

from specroute.load.figures import escalated
from specroute.load.records import OK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from specroute.edge.client.aio import Answered, Receipt, RouteFailed


@dataclass(frozen=True, slots=True)
class CallRow:
    """How one call went.

    Attributes:
        rpc: ``Route`` or ``RouteStream``.
        case: a key of what was sent; the same prompt has the same one in every run.
        source: what the case belongs to.
        began_s: when it was sent, since the test began, in seconds.
        late_s: how long after its intended time that was, >= 0: the user was busy with its last call.
        latency_s: until its end, >= 0.
        first_token_s: until the first token that lasts; ``None``: not streamed, or none came.
        status: name of the gRPC status.
        reason: ``ErrorInfo.reason`` of a failed call, or "".
        plan, tier: "" where they are not known.
        escalated: whether a stronger tier was called because a weaker one's answer did not do.
        delivered_nano_usd, waste_nano_usd, always_large_nano_usd: from the receipt; 0 without one.
        is_right: the grade; ``None``: the call failed, or nobody grades.
        is_from_its_tier: false where the answer is not what the named tier said.
    """

    rpc: str
    case: str
    source: str
    began_s: float
    late_s: float
    latency_s: float
    first_token_s: float | None
    status: str
    reason: str = ""
    plan: str = ""
    tier: str = ""
    degraded: bool = False
    escalated: bool = False
    delivered_nano_usd: int = 0
    waste_nano_usd: int = 0
    always_large_nano_usd: int = 0
    is_right: bool | None = None
    is_from_its_tier: bool = True

    @property
    def has_failed(self) -> bool:
        """Whether it ended with a status other than OK."""
        return self.status != OK

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain values, which ``from_json`` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> CallRow:
        """Returns the row that ``to_json`` wrote; fields that it does not know are left out."""
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})


def receipt_fields(receipt: Receipt | None) -> dict[str, Any]:
    """Returns the fields of a row that come from ``receipt``."""
    if receipt is None:
        return {}
    return {
        "plan": "" if receipt.plan is None else receipt.plan.value,
        "escalated": escalated(receipt),
        "delivered_nano_usd": receipt.money.delivered_nano_usd,
        "waste_nano_usd": receipt.money.waste_nano_usd,
        "always_large_nano_usd": receipt.money.always_large_estimate_nano_usd,
    }


def answer_fields(answer: Answered) -> dict[str, Any]:
    """Returns the fields of a row that come from a delivered answer."""
    return {"status": OK, "tier": answer.tier, "degraded": answer.degraded, **receipt_fields(answer.receipt)}


def failure_fields(error: RouteFailed) -> dict[str, Any]:
    """Returns the fields of a row that come from the status of a failed call."""
    return {"status": error.code, "reason": error.reason, **receipt_fields(error.receipt)}


def write_rows(path: Path, rows: Iterable[CallRow]) -> None:
    """Writes a JSON line per row, making the folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(row.to_json()) + b"\n" for row in rows))


def read_rows(path: Path) -> Sequence[CallRow]:
    """Returns the rows that ``write_rows`` wrote."""
    return [CallRow.from_json(orjson.loads(line)) for line in path.read_bytes().splitlines()]
