"""Reads tables of recorded outcomes as plain rows, from Parquet, JSON Lines or CSV, by the file's suffix.

Only Parquet needs pyarrow, which is imported when such a file is read.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Row = dict[str, Any]


class OutcomesError(ValueError):
    """An outcomes file that cannot be used; the message is one line: the file, the column or row, and the mend."""

    def __init__(self, path: Path, problem: str, mend: str) -> None:
        super().__init__(f"{path}: {problem}; {mend}")


def read_rows(path: Path, columns: Iterable[str]) -> list[Row]:
    """Returns the rows of ``path`` with those of ``columns`` that it has; a column that it lacks is in no row.

    Values are as the format gives them: typed from Parquet and JSON, text from CSV, where "" is read as ``None``.

    Raises:
        OutcomesError: the file is missing, empty, or not what its suffix says.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise OutcomesError(path, f"unknown suffix {path.suffix!r}", f"name it one of {', '.join(sorted(_READERS))}")
    try:
        rows = reader(path, frozenset(columns))
    except FileNotFoundError as error:
        raise OutcomesError(path, "no such file", "give the path of recorded outcomes") from error
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise OutcomesError(path, f"cannot be read as {path.suffix[1:]} ({reason})", "check the file") from error
    if not rows:
        raise OutcomesError(path, "has no rows", "give a file with recorded outcomes")
    return rows


def _read_parquet(path: Path, columns: frozenset[str]) -> list[Row]:
    import pyarrow  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    try:
        table = parquet.ParquetFile(path)
        present = [name for name in table.schema_arrow.names if name in columns]
        rows: list[Row] = table.read(columns=present, use_threads=False).to_pylist()
    except pyarrow.ArrowException as error:
        raise ValueError(str(error)) from error
    return rows


def _read_jsonl(path: Path, columns: frozenset[str]) -> list[Row]:
    rows: list[Row] = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.isspace():
                continue
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is not an object")
            rows.append({name: value for name, value in row.items() if name in columns})
    return rows


def _read_csv(path: Path, columns: frozenset[str]) -> list[Row]:
    csv.field_size_limit(2**31 - 1)  # a prompt is longer than the module's 128 KiB default
    with path.open(encoding="utf-8", newline="") as lines:
        return [
            {name: value or None for name, value in row.items() if name in columns} for row in csv.DictReader(lines)
        ]


_READERS: dict[str, Callable[[Path, frozenset[str]], list[Row]]] = {
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
}
