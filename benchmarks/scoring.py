"""Prints what scoring a prompt takes, in microseconds on one core: features, ONNX graph, and all of it.

Usage: ``python benchmarks/scoring.py [MODEL_FOLDER]`` (default: router_models/default)
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from specroute.core.request import Message, Role, RouteRequest
from specroute.predictor.artifact import MODEL_FILE, read_manifest
from specroute.predictor.features import FeatureExtractor
from specroute.predictor.onnx_model import OnnxModel
from specroute.predictor.predictor import OnnxPredictor

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (200, 2_000, 20_000)
CALLS = 200
REPEATS = 25
LIMIT_US = 150.0

ENGLISH = (
    "A farmer has {n} hens, and each lays an egg a day. She sells a dozen for 2.50 at the market in {town}.\n"
    "How much does she earn in week {n}? Explain the steps, then give the answer as one number.\n"
)
CHINESE = "第{n}题:请用一句话解释为什么{town}的天空是蓝色的,并说明太阳光穿过大气层时发生了什么。\n"
TOWNS = ("Bergen", "Pune", "Oaxaca", "Kyoto", "Tunis", "Odesa", "Turku")


class Row(TypedDict):
    """What one prompt takes; ``us``: by part, the least and the median of the repeats in microseconds."""

    script: str
    chars: int
    ids: int
    us: dict[str, tuple[float, float]]


def prompt(template: str, chars: int) -> str:
    lines = (template.format(n=n * 7 % 1013, town=TOWNS[n % len(TOWNS)]) for n in range(chars))
    text = ""
    for line in lines:
        text += line
        if len(text) >= chars:
            break
    return text[:chars]


def microseconds(call: Callable[[], object]) -> tuple[float, float]:
    """Returns the least and the median time of a call over repeats."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        for _ in range(CALLS):
            call()
        times.append((time.perf_counter() - started) / CALLS * 1e6)
    times.sort()
    return times[0], times[len(times) // 2]


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--json"]
    folder = Path(arguments[0] if arguments else "router_models/default")
    predictor = OnnxPredictor.load(folder)
    extractor = FeatureExtractor(read_manifest(folder).features.settings())
    model = OnnxModel((folder / MODEL_FILE).read_bytes())
    rows: list[Row] = []
    for script, template in (("english", ENGLISH), ("chinese", CHINESE)):
        for chars in SIZES:
            text = prompt(template, chars)
            features = extractor.extract(text)
            request = RouteRequest("", (Message(Role.USER, text),))
            parts = {
                "features": microseconds(partial(extractor.extract, text)),
                "graph": microseconds(partial(model.score, features)),
                "predict": microseconds(partial(predictor.predict, request)),
            }
            rows.append({"script": script, "chars": chars, "ids": int(features.ids.size), "us": parts})
    if "--json" in sys.argv:
        print(json.dumps({"model": predictor.version, "rows": rows}))
        return
    print(f"{predictor.version}: microseconds per prompt, least / median of {REPEATS} x {CALLS} calls")
    print(f"{'script':8} {'chars':>7} {'ids':>6} {'features':>15} {'graph':>15} {'predict':>15}")
    for row in rows:
        cells = "".join(f"{low:8.1f} /{median:6.1f}" for low, median in row["us"].values())
        print(f"{row['script']:8} {row['chars']:7,} {row['ids']:6,} {cells}")
    worst = max(row["us"]["predict"][1] for row in rows if row["script"] == "english" and row["chars"] == 2_000)
    print(f"2,000 characters of English: {worst:.1f} us, {worst / LIMIT_US:.2f} of the limit of {LIMIT_US:g} us")


if __name__ == "__main__":
    main()
