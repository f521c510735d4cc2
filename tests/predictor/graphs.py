"""Tiny graphs and model folders built for tests."""

from __future__ import annotations

import hashlib
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from specroute.predictor.artifact import FORMAT_VERSION, content_version
from specroute.predictor.text.features import DENSE_SIZE, FEATURES_VERSION
from specroute.predictor.text.surface import SURFACE_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import NodeProto


NO_FILES: Mapping[str, bytes] = MappingProxyType({})

QUARTER = (-1.0986123, 0.0, 2.0, 5.0), (0.25, 0.125, 0.5, 0.5, 0.875, 0.75)
"""Outputs of a graph that gives the mini one chance in four: logits and shares."""


def graph(nodes: Sequence[NodeProto], *, logits: str = "logits", ids_type: int = TensorProto.INT64) -> bytes:
    """Serializes a graph of the predictor's signature around ``nodes``."""
    constants: dict[str, NDArray[Any]] = {
        "table": np.zeros((256, 1), dtype=np.float32),
        "quarter_logits": np.array([QUARTER[0]], dtype=np.float32),
        "quarter_shares": np.array([QUARTER[1]], dtype=np.float32),
        "nan_logits": np.full((1, 4), np.nan, dtype=np.float32),
        "nan_shares": np.full((1, 6), np.nan, dtype=np.float32),
        "axis": np.array([0], dtype=np.int64),
    }
    proto = helper.make_graph(
        nodes,
        "test",
        [
            helper.make_tensor_value_info("ids", ids_type, ["n"]),
            helper.make_tensor_value_info("dense", TensorProto.FLOAT, [DENSE_SIZE]),
        ],
        [
            helper.make_tensor_value_info(logits, TensorProto.FLOAT, [1, 4]),
            helper.make_tensor_value_info("shares", TensorProto.FLOAT, [1, 6]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(proto, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    serialized: bytes = model.SerializeToString()
    return serialized


def constant(name: str = "quarter", *, logits: str = "logits", ids_type: int = TensorProto.INT64) -> bytes:
    """A graph that gives one value whatever it reads: ``quarter`` or ``nan``."""
    nodes = [
        helper.make_node("Identity", [f"{name}_logits"], [logits]),
        helper.make_node("Identity", [f"{name}_shares"], ["shares"]),
    ]
    return graph(nodes, logits=logits, ids_type=ids_type)


def gathering() -> bytes:
    """A graph over 256 buckets: an id beyond them makes the run fail."""
    return graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["values"]),
            helper.make_node("ReduceSum", ["values", "axis"], ["sum"], keepdims=1),
            helper.make_node("Add", ["sum", "quarter_logits"], ["logits"]),
            helper.make_node("Add", ["sum", "quarter_shares"], ["shares"]),
        ]
    )


def summing() -> bytes:
    """A graph that scores a text by the sum of its surface measures: other texts, other log-odds."""
    return graph(
        [
            helper.make_node("ReduceSum", ["dense", "axis"], ["sum"], keepdims=1),
            helper.make_node("Add", ["sum", "quarter_logits"], ["logits"]),
            helper.make_node("Identity", ["quarter_shares"], ["shares"]),
        ]
    )


def write_folder(folder: Path, model: bytes, *, extra: Mapping[str, bytes] = NO_FILES, **changes: Any) -> Path:
    """Writes a model folder that loads where ``model`` gives a quarter; ``changes`` replace entries of the manifest."""
    contents = {"model.onnx": model, "calibration.json": b"{}", **extra}
    parts = {
        "format_version": FORMAT_VERSION,
        "tiers": ["mini", "large"],
        "pair": "tiny|huge",
        "features": {
            "version": FEATURES_VERSION,
            "head_chars": 3000,
            "tail_chars": 1000,
            "hash_bits": 17,
            "max_ngram": 2,
            "dense": list(SURFACE_NAMES),
        },
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        "intents": None,
        "verifier": None,
    }
    parts |= {name: value for name, value in changes.items() if name in parts}
    manifest = parts | {
        "name": "test",
        "version": content_version("test", parts),
        "data": {"sha256": "0" * 64, "columns": [], "rows": 0, "auxiliary_rows": 0},
        "training": {},
        "parity_max_abs_error": 0.0,
        "metrics": {},
        "golden": [{"text": "hello", "p_accept": 0.25, "p_low": 0.125, "p_high": 0.5, "novelty": 0.75}],
    }
    manifest |= changes
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder
