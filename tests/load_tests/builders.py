"""Made-up calls."""

from __future__ import annotations

from typing import Any

from load_tests.rows import CallRow


def call(**fields: Any) -> CallRow:
    given: dict[str, Any] = {
        "rpc": "Route",
        "case": "a",
        "source": "sums",
        "began_s": 0.0,
        "late_s": 0.0,
        "latency_s": 1.0,
        "first_token_s": None,
        "status": "OK",
        "plan": "hedge",
        "tier": "mini",
        "delivered_nano_usd": 80,
        "waste_nano_usd": 20,
        "always_large_nano_usd": 400,
        "is_right": True,
    }
    return CallRow(**{**given, **fields})


def failed(**fields: Any) -> CallRow:
    given: dict[str, Any] = {"status": "DEADLINE_EXCEEDED", "tier": "", "is_right": None}
    return call(**{**given, **fields})
