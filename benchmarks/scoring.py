"""Prints what scoring a prompt takes, in microseconds on one core: features, ONNX graph, both, and a whole prediction.

``score`` is the probability with its interval; ``predict`` infers task type, risk and risk domain, too.

Usage: ``python benchmarks/scoring.py [MODEL_FOLDER]`` (default: router_models/default)
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from specroute.core.request import Message, Role, RouteRequest
from specroute.predictor.artifact import MODEL_FILE, read_manifest
from specroute.predictor.onnx_model import OnnxModel
from specroute.predictor.predictor import OnnxPredictor
from specroute.predictor.text.features import FeatureExtractor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SIZES = (200, 2_000, 20_000)
CALLS = 200
REPEATS = 25
LIMIT_US = 150.0

TEXTS = 64
"""Different texts are scored in turn: the model's table is larger than a cache, and a service's texts differ."""

SYLLABLES = ("ka", "lo", "mi", "ren", "su", "ta", "ve", "dor", "ni", "pal", "quo", "sen", "tri", "um", "zel")
IDEOGRAPHS = (0x4E00, 0x9FA5)


class Row(TypedDict):
    """What one prompt takes; ``us``: by part, the least and the median of the repeats in microseconds."""

    script: str
    chars: int
    ids: int
    us: dict[str, tuple[float, float]]


def english(draw: random.Random, chars: int) -> str:
    """Returns made-up words of one to four syllables in sentences, a few numbers among them."""
    words: list[str] = []
    while sum(map(len, words)) + len(words) < chars:
        word = "".join(draw.choices(SYLLABLES, k=draw.choice((1, 2, 2, 3, 4))))
        words.append(
            f"{word}." if draw.random() < 0.06 else str(draw.randrange(1000)) if draw.random() < 0.04 else word
        )
    return " ".join(words)[:chars]


def chinese(draw: random.Random, chars: int) -> str:
    """Returns random ideographs, with a comma now and then."""
    return "".join("," if draw.random() < 0.08 else chr(draw.randint(*IDEOGRAPHS)) for _ in range(chars))


def in_turn(call: Callable[[Any], object], values: Sequence[Any]) -> Callable[[], object]:
    """Returns a call that takes the next of ``values`` each time."""
    following = itertools.cycle(values)
    return lambda: call(next(following))


def microseconds(call: Callable[[], object], calls: int = CALLS) -> tuple[float, float]:
    """Returns the least and the median time of a call over repeats of ``calls`` calls."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        for _ in range(calls):
            call()
        times.append((time.perf_counter() - started) / calls * 1e6)
    times.sort()
    return times[0], times[len(times) // 2]


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--json"]
    folder = Path(arguments[0] if arguments else "router_models/default")
    predictor = OnnxPredictor.load(folder)
    extractor = FeatureExtractor(read_manifest(folder).features.settings())
    model = OnnxModel((folder / MODEL_FILE).read_bytes())
    rows: list[Row] = []
    for script, made in (("english", english), ("chinese", chinese)):
        for chars in SIZES:
            texts = [made(random.Random(f"{script}:{chars}:{at}"), chars) for at in range(TEXTS)]
            features = [extractor.extract(text) for text in texts]
            requests = [RouteRequest("", (Message(Role.USER, text),)) for text in texts]
            parts = {
                "features": microseconds(in_turn(extractor.extract, texts)),
                "graph": microseconds(in_turn(model.run, features)),
                "score": microseconds(in_turn(predictor.score, texts)),
                "predict": microseconds(in_turn(predictor.predict, requests)),
            }
            ids = sum(int(item.ids.size) for item in features) // TEXTS
            rows.append({"script": script, "chars": chars, "ids": ids, "us": parts})
    if "--json" in sys.argv:
        print(json.dumps({"model": predictor.version, "rows": rows}))
        return
    print(f"{predictor.version}: microseconds per prompt, least / median of {REPEATS} x {CALLS} calls")
    print(f"{'script':8} {'chars':>7} {'ids':>6} {'features':>15} {'graph':>15} {'score':>15} {'predict':>15}")
    for row in rows:
        cells = "".join(f"{low:8.1f} /{median:6.1f}" for low, median in row["us"].values())
        print(f"{row['script']:8} {row['chars']:7,} {row['ids']:6,} {cells}")
    row = next(row for row in rows if row["script"] == "english" and row["chars"] == 2_000)
    for part in ("score", "predict"):
        median = row["us"][part][1]
        print(f"{part}, 2,000 characters of English: {median:.1f} us, {median / LIMIT_US:.2f} of {LIMIT_US:g} us")


if __name__ == "__main__":
    main()
