"""``--rows``: one row per prompt and policy, from which every figure can be computed again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow
from pyarrow import parquet

from specroute.replay.table import is_late

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from specroute.replay.run import ReplayRun

PLAYED = (
    *("p_accept", "p_low", "p_high", "verifier_p", "plan", "first_tier", "delivered_tier", "cost_usd", "waste_usd"),
    *("latency_s", "ttft_s", "calls", "escalated", "degraded", "error"),
)
"""Columns that are attributes of a played row."""


def write_rows(runs: Mapping[str, ReplayRun], path: Path) -> int:
    """Writes the rows of all policies to ``path``, Parquet, and returns how many.

    Columns beside ``PLAYED``: prompt_id, pair, group_id, source, policy, delivered_correct, deadline_exceeded. The mean
    of a column over a policy's rows is the reported figure.

    Args:
        runs: policy -> what it did.
        path: its folder is made where there is none.

    Raises:
        OSError: ``path`` cannot be written.
    """
    table = pyarrow.concat_tables([_table(name, run) for name, run in runs.items()])
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, compression="zstd")
    return int(table.num_rows)


def _table(policy: str, run: ReplayRun) -> pyarrow.Table:
    played = run.played
    columns: dict[str, list[object]] = {
        "policy": [policy] * len(played),
        **{name: [getattr(each.row, name) for each in played] for name in ("prompt_id", "pair", "group_id", "source")},
        **{name: [getattr(each, name) for each in played] for name in PLAYED},
        "delivered_correct": [each.correct for each in played],
        "deadline_exceeded": [is_late(each, run.deadline_s) for each in played],
    }
    return pyarrow.table(columns, schema=_SCHEMA)


_TEXT = ("policy", "prompt_id", "pair", "group_id", "source", "plan", "first_tier", "delivered_tier", "error")
_FLAGS = ("escalated", "degraded", "delivered_correct", "deadline_exceeded")
_ORDER = ("policy", "prompt_id", "pair", "group_id", "source", *PLAYED, "delivered_correct", "deadline_exceeded")


def _type(name: str) -> pyarrow.DataType:
    if name in _TEXT:
        return pyarrow.string()
    if name in _FLAGS:
        return pyarrow.bool_()
    return pyarrow.int32() if name == "calls" else pyarrow.float64()


_SCHEMA = pyarrow.schema([(name, _type(name)) for name in _ORDER])
