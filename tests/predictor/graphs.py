"""Tiny graphs and model folders built for tests."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from specroute.predictor.features import DENSE_SIZE, FEATURES_VERSION
from specroute.predictor.surface import SURFACE_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from onnx import NodeProto


def graph(nodes: Sequence[NodeProto], *, output: str = "p_accept", ids_type: int = TensorProto.INT64) -> bytes:
    """Serializes a graph of the predictor's signature around ``nodes``."""
    zeros = numpy_helper.from_array(np.zeros(256, dtype=np.float32), "table")
    value = numpy_helper.from_array(np.array([0.25], dtype=np.float32), "quarter")
    nan = numpy_helper.from_array(np.array([np.nan], dtype=np.float32), "nan")
    axis = numpy_helper.from_array(np.array([0], dtype=np.int64), "axis")
    proto = helper.make_graph(
        nodes,
        "test",
        [
            helper.make_tensor_value_info("ids", ids_type, ["n"]),
            helper.make_tensor_value_info("dense", TensorProto.FLOAT, [DENSE_SIZE]),
        ],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [1])],
        [zeros, value, nan, axis],
    )
    model = helper.make_model(proto, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    serialized: bytes = model.SerializeToString()
    return serialized


def constant(name: str = "quarter", *, output: str = "p_accept", ids_type: int = TensorProto.INT64) -> bytes:
    """A graph that gives one value whatever it reads: ``quarter`` or ``nan``."""
    return graph([helper.make_node("Identity", [name], [output])], output=output, ids_type=ids_type)


def gathering() -> bytes:
    """A graph over 256 buckets: an id beyond them makes the run fail."""
    return graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["values"]),
            helper.make_node("ReduceSum", ["values", "axis"], ["sum"], keepdims=1),
            helper.make_node("Add", ["sum", "quarter"], ["p_accept"]),
        ]
    )


def write_folder(folder: Path, model: bytes, **changes: Any) -> Path:
    """Writes a model folder that loads where ``model`` gives 0.25; ``changes`` replace entries of the manifest."""
    files = {"model.onnx": model, "calibration.json": b"{}"}
    manifest = {
        "format_version": 1,
        "name": "test",
        "version": "test-1",
        "tiers": ["mini", "large"],
        "pair": "tiny|huge",
        "features": {
            "version": FEATURES_VERSION,
            "head_chars": 3000,
            "tail_chars": 1000,
            "hash_bits": 17,
            "max_ngram": 2,
            "dense": SURFACE_NAMES,
        },
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        "data": {"sha256": "0" * 64, "columns": [], "rows": 0, "auxiliary_rows": 0, "calibration_rows": 0},
        "training": {},
        "parity_max_abs_error": 0.0,
        "metrics": {},
        "golden": [{"text": "hello", "p_accept": 0.25}],
    } | changes
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder
