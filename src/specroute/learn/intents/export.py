"""Builds the ONNX graph of the heads and proves that it answers as the training framework does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from specroute.predictor.intents.grams import GRAMS_VERSION
from specroute.predictor.intents.manifest import GoldenIntents, HeadManifest, IntentsManifest
from specroute.predictor.intents.model import GOLDEN_TOLERANCE, INPUT_IDS, OUTPUT_P, IntentModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.learn.intents.reading import Head, Reading

OPSET = 17
IR_VERSION = 8
_LEAST_LENGTH = 1e-6  # of a text of which nothing was read
_GOLDEN_TEXTS = (
    "Summarize this for my manager in two lines: the delivery was late again and the client is angry.",
    "My toddler swallowed two of grandma's blood pressure pills, what do I do?",
    "Übersetze ins Spanische: Wo ist der Bahnhof?",
    "写一个把列表去重的函数",
    "hi",
)


class InferenceParityError(ValueError):
    """The exported graph differs from the trained heads; the message is one line."""


def export_heads(reading: Reading, heads: Sequence[Head], texts: Sequence[str]) -> tuple[bytes, IntentsManifest]:
    """Returns the graph and its manifest, compared on ``texts``.

    Raises:
        InferenceParityError: they differ by more than 1e-5.
    """
    graph = _graph(reading, heads)
    entries = tuple(HeadManifest(head.name, head.classes, head.cuts) for head in heads)
    bare = IntentsManifest(GRAMS_VERSION, entries, 0.0, ())
    model = IntentModel(graph, bare, reading.extractor)
    trained = np.concatenate([head.p(reading.encode(texts)) for head in heads], axis=1)
    error = float(np.abs(np.array([_p(model, reading, text) for text in texts]) - trained).max())
    if not error <= GOLDEN_TOLERANCE:  # so that a NaN fails too
        raise InferenceParityError(
            f"the exported inference differs from the trained one by {error:.1e}, more than {GOLDEN_TOLERANCE:.0e}; "
            "nothing was written: report this with your onnxruntime version"
        )
    golden = tuple(GoldenIntents(text, tuple(round(p, 7) for p in _p(model, reading, text))) for text in _GOLDEN_TEXTS)
    return graph, IntentsManifest(GRAMS_VERSION, entries, float(f"{error:.1e}"), golden)


def _p(model: IntentModel, reading: Reading, text: str) -> list[float]:
    return model.probabilities(reading.extractor.extract(text).tokens)


def _graph(reading: Reading, heads: Sequence[Head]) -> bytes:
    constants = {
        "idf": reading.idf,
        "steps": np.concatenate([head.steps for head in heads], axis=1),
        "scales": np.concatenate([head.scales for head in heads]),
        "intercept": np.concatenate([head.intercept for head in heads]),
        "least_length": np.array([_LEAST_LENGTH], dtype=np.float32),
        "sizes": np.array([len(head.classes) for head in heads], dtype=np.int64),
    }
    names = [head.name for head in heads]
    nodes = [
        helper.make_node("Gather", ["idf", INPUT_IDS], ["weights"], axis=0),
        helper.make_node("Gather", ["steps", INPUT_IDS], ["rows"], axis=0),
        helper.make_node("Cast", ["rows"], ["stepped"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["weights", "stepped"], ["summed"]),
        helper.make_node("ReduceL2", ["weights"], ["measured"], axes=[0], keepdims=1),
        helper.make_node("Max", ["measured", "least_length"], ["length"]),
        helper.make_node("Div", ["summed", "length"], ["stepwise"]),
        helper.make_node("Mul", ["stepwise", "scales"], ["scaled"]),
        helper.make_node("Add", ["scaled", "intercept"], ["scores"]),
        helper.make_node("Split", ["scores", "sizes"], [f"{name}_scores" for name in names], axis=0),
        *(helper.make_node("Softmax", [f"{name}_scores"], [name], axis=0) for name in names),
        helper.make_node("Concat", names, [OUTPUT_P], axis=0),
    ]
    return _serialized(nodes, constants, sum(len(head.classes) for head in heads))


def _serialized(nodes: list[onnx.NodeProto], constants: dict[str, NDArray[np.generic]], classes: int) -> bytes:
    graph = helper.make_graph(
        nodes,
        "intents",
        [helper.make_tensor_value_info(INPUT_IDS, TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info(OUTPUT_P, TensorProto.FLOAT, [classes])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    proto = helper.make_model(graph, producer_name="specroute", ir_version=IR_VERSION, opset_imports=opsets)
    onnx.checker.check_model(proto, full_check=True)
    serialized: bytes = proto.SerializeToString(deterministic=True)
    return serialized
