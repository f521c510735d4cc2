"""Made-up recorded outcomes: three sources, text and tool calls."""

from pathlib import Path
from typing import Any

PAIR = "gpt-4o-mini|gpt-4o"

CALLS = '[{"add": "{\\"a\\": 1, \\"b\\": 2}"}, {"add": "{\\"a\\": 3, \\"b\\": 4}"}]'


def row(source: str, prompt: str, mini: str | None, large: str | None, grades: str, **fields: Any) -> dict[str, Any]:
    """``grades``: two letters, r for right and w for wrong, of mini and large; a dot: no grade."""
    made: dict[str, Any] = {"pair": PAIR, "source": source, "prompt": prompt, "output_format": "letter"}
    for tier, response, grade in (("mini", mini, grades[0]), ("large", large, grades[1])):
        made |= {
            f"{tier}_model": f"{tier}-exact",
            f"{tier}_response": response,
            f"{tier}_correct": None if grade == "." else grade == "r",
            f"{tier}_input_tokens": 20.0,
            f"{tier}_output_tokens": 5.0,
            f"{tier}_latency_s": None,
        }
    return made | fields


ROWS = [
    row("sums", "What is 17 * 3?", "54", "51", "wr"),
    row("sums", "What is 6 + 6?", "12", "12", "rr"),
    row("calls", "Add 1 and 2, then 3 and 4.", "I have no function for that.", CALLS, "wr", output_format="tool_calls"),
    row("calls", "Add both pairs.", CALLS, CALLS, "rr", output_format="tool_calls", mini_latency_s=0.4),
    row("capitals", "  Capital of Peru?\n", "Lima", "Lima.", "rr"),
    row("capitals", "Capital of Chad?", "", "N'Djamena", "wr"),
    row("capitals", "Untold", None, "Rome", "rr"),
    row("capitals", "Ungraded", "Rome", "Rome", "r."),
    row("capitals", "Capital of Chad?", "again", "again", "rr"),
    row("capitals", "Of another pair", "x", "y", "rr", pair="x|y"),
]


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path)
    return path
