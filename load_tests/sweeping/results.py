"""What the sweep has found so far, and its files: JSON, CSV and the picture. Each is whole at any moment."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from load_tests.sweeping.measured import FIGURES, counted, measured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from load_tests.rows import CallRow
    from load_tests.sweeping.points import Point


@dataclass(slots=True)
class Results:
    """The calls of every point by its name; ``setting`` says how they were made.

    Attributes:
        speed: what the tiers' delays were divided by.
        planned: runs of every point.
        failed: one line for each run that gave nothing.
    """

    points: Sequence[Point]
    setting: dict[str, Any]
    speed: float
    planned: int
    rows: dict[str, list[CallRow]] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    @property
    def is_partial(self) -> bool:
        """Whether a run is missing."""
        return any(self.runs.get(point.name, 0) < self.planned for point in self.points)

    def add(self, point: Point, rows: Sequence[CallRow]) -> None:
        """Adds one run of a point."""
        self.rows.setdefault(point.name, []).extend(rows)
        self.runs[point.name] = self.runs.get(point.name, 0) + 1

    def to_json(self) -> dict[str, Any]:
        """Returns every point that has been run, in order, with its figures."""
        points = [
            {
                **asdict(point),
                "label": point.label,
                "runs": self.runs[point.name],
                **counted(self.rows[point.name]),
                "figures": measured(self.rows[point.name], speed=self.speed),
            }
            for point in self.points
            if point.name in self.rows
        ]
        return {"partial": self.is_partial, "setting": self.setting, "failed_runs": self.failed, "points": points}

    def write(self, folder: Path) -> dict[str, Any]:
        """Writes sweep.json and sweep.csv and returns what is in the first."""
        told = self.to_json()
        _replace(folder / "sweep.json", orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
        _replace(folder / "sweep.csv", as_csv(told).encode())
        return told


def as_csv(told: dict[str, Any]) -> str:
    """Returns a row per point, every figure with its interval."""
    parts = [(name, part) for name in FIGURES for part in ("value", "lo", "hi")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [name if part == "value" else f"{name}_{part}" for name, part in parts]
    writer.writerow(["name", "family", "label", "runs", "calls", "failed", *names])
    for point in told["points"]:
        first = [point[name] for name in ("name", "family", "label", "runs", "calls", "failed")]
        writer.writerow([*first, *(point["figures"][name][part] for name, part in parts)])
    return text.getvalue()


def as_table(told: dict[str, Any]) -> str:
    """Returns the points for a terminal: p95, money and quality with their intervals."""
    lines = [f"{'point':<16}{'calls':>7}{'p50':>8}  {'p95 (s)':<22}{'USD per 1,000':<26}{'right':<22}{'waste':>6}"]
    for point in told["points"]:
        found = point["figures"]
        lines.append(
            f"{point['label']:<16}{point['calls']:>7}{found['p50']['value']:>8.2f}  {_interval(found['p95'], 2):<22}"
            f"{_interval(found['usd_per_1000'], 4):<26}{_interval(found['quality'], 3):<22}"
            f"{found['waste_ratio']['value']:>6.1%}"
        )
    return "\n".join(lines)


def _interval(found: dict[str, float], digits: int) -> str:
    return f"{found['value']:.{digits}f} ({found['lo']:.{digits}f}-{found['hi']:.{digits}f})"


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(data)
    os.replace(beside, path)
