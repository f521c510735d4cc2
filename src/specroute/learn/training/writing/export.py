"""Builds the ONNX graph of a folded model.

The graph, with ``|`` for parts of one vector::

    ids   -> Gather(table) -> integer sum over ids -> * scale -> / norm ---+
    dense -> standardise, cut -> surface -> @ surface weights + bias ------+-> linear | hidden | directions
    linear + relu(hidden) @ outer        -> calibrated log-odds of three questions, log of the answer's length
    directions, surface                  -> mixture of Gaussians -> novelty
    log-odds, novelty                    -> ends of the interval -> sigmoid

Few nodes: each costs about a microsecond, which is more than most of them compute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from specroute.learn.training.linear import DENSE_LIMIT
from specroute.learn.training.models.folded import LEAST_SQUARE
from specroute.predictor.onnx_model import (
    INPUT_DENSE,
    INPUT_IDS,
    LOGIT_COUNT,
    OUTPUT_LOGITS,
    OUTPUT_SHARES,
    SHARE_COUNT,
)
from specroute.predictor.text.features import DENSE_SIZE

if TYPE_CHECKING:
    from onnx import NodeProto

    from specroute.learn.training.models.folded import Folded

OPSET = 17
IR_VERSION = 8  # the two are old enough for every onnxruntime from 1.20 on


class _Graph:
    """Collects nodes and constants; each call of ``node`` names its outputs."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self._constants: dict[str, np.ndarray] = {}

    def constant(self, name: str, value: object, dtype: type = np.float32) -> str:
        self._constants[name] = np.asarray(value, dtype=dtype)
        return name

    def node(self, kind: str, inputs: list[str], output: str | list[str], **attributes: Any) -> None:
        outputs = [output] if isinstance(output, str) else output
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))

    def initializers(self) -> list[TensorProto]:
        return [numpy_helper.from_array(value, name) for name, value in self._constants.items()]


def to_onnx(folded: Folded) -> bytes:
    """Returns the serialized graph, checked by onnx; equal arguments give equal bytes."""
    graph = _Graph()
    _add_columns(graph, folded)
    _add_novelty(graph, folded)
    _add_scores(graph, folded)
    outputs = {OUTPUT_LOGITS: LOGIT_COUNT, OUTPUT_SHARES: SHARE_COUNT}
    proto = helper.make_graph(
        graph.nodes,
        "predictor",
        [
            helper.make_tensor_value_info(INPUT_IDS, TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info(INPUT_DENSE, TensorProto.FLOAT, [DENSE_SIZE]),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in outputs.items()],
        graph.initializers(),
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(proto, producer_name="specroute", ir_version=IR_VERSION, opset_imports=opsets)
    onnx.checker.check_model(model, full_check=True)
    serialized: bytes = model.SerializeToString(deterministic=True)
    return serialized


def _add_columns(graph: _Graph, folded: Folded) -> None:
    """Adds what ends in ``linear``, ``hidden``, ``directions`` and ``surface``; [1, size] each."""
    # A row of zeros for every text: the runtime's product over no row at all is whatever lay in memory.
    codes = folded.table.codes
    graph.constant("table", np.concatenate([codes, np.zeros_like(codes[:1])]), np.int8)
    graph.node("Concat", [INPUT_IDS, graph.constant("zeros_row", [codes.shape[0]], np.int64)], "some_ids", axis=0)
    graph.node("Gather", ["table", "some_ids"], "rows", axis=0)
    graph.node("Shape", ["some_ids"], "count")
    graph.node("Concat", [graph.constant("one", [1], np.int64), "count"], "ones_shape", axis=0)
    one = numpy_helper.from_array(np.array([1], dtype=np.uint8))
    graph.node("ConstantOfShape", ["ones_shape"], "ones", value=one)
    graph.node("MatMulInteger", ["ones", "rows"], "code_sums")
    graph.node("Cast", ["code_sums"], "float_sums", to=TensorProto.FLOAT)
    graph.node("Mul", ["float_sums", graph.constant("scale", [folded.table.scale])], "sums")
    padding = folded.table.scale.size - 1 - folded.bias.size
    kept = [1, folded.bias.size, padding] if padding else [1, folded.bias.size]
    names = ["sum_of_squares", "column_sums", "padding"][: len(kept)]
    graph.node("Split", ["sums", graph.constant("table_parts", kept, np.int64)], names, axis=1)
    graph.node("Max", ["sum_of_squares", graph.constant("least_square", [[LEAST_SQUARE]])], "square")
    graph.node("Sqrt", ["square"], "norm")
    graph.node("Div", ["column_sums", "norm"], "from_ngrams")
    graph.node("Sub", [INPUT_DENSE, graph.constant("mean", [folded.encoder.mean])], "centred")
    graph.node("Div", ["centred", graph.constant("std", [folded.encoder.std])], "standardised")
    limits = [graph.constant("limit_low", -DENSE_LIMIT), graph.constant("limit_high", DENSE_LIMIT)]
    graph.node("Clip", ["standardised", *limits], "surface")
    surface = ["surface", graph.constant("surface_weights", folded.surface), graph.constant("bias", folded.bias)]
    graph.node("Gemm", surface, "from_surface")
    graph.node("Add", ["from_ngrams", "from_surface"], "columns")
    parts = graph.constant("parts", folded.parts, np.int64)
    graph.node("Split", ["columns", parts], ["linear", "hidden", "directions"], axis=1)
    graph.node("Relu", ["hidden"], "active")
    graph.node("Gemm", ["active", graph.constant("outer", folded.outer), "linear"], OUTPUT_LOGITS)


def _add_novelty(graph: _Graph, folded: Folded) -> None:
    """Adds ``novelty``: [1, 1]."""
    density = folded.density
    graph.node("Concat", ["directions", "surface"], "described", axis=1)
    graph.node("Transpose", ["described"], "described_column")
    graph.node("Sub", ["described_column", graph.constant("centres", density.centres)], "away")
    graph.node("Mul", ["away", graph.constant("roots", density.roots)], "deviations")
    graph.node("ReduceSumSquare", ["deviations"], "distance", axes=[0], keepdims=1)
    graph.node("Sub", [graph.constant("heights", [density.heights]), "distance"], "log_densities")
    graph.node("ReduceLogSumExp", ["log_densities"], "log_density", axes=[1], keepdims=1)
    graph.node("Mul", ["log_density", graph.constant("steepness", [[-density.slope]])], "strangeness")
    shift = graph.constant("strangeness_shift", [[-density.slope * density.edge]])
    graph.node("Add", ["strangeness", shift], "novelty_logit")
    graph.node("Sigmoid", ["novelty_logit"], "novelty")


def _add_scores(graph: _Graph, folded: Folded) -> None:
    """Adds the output ``shares`` of ``logits`` and ``novelty``."""
    known, wider = folded.widths.known, folded.widths.novel - folded.widths.known
    # Columns: p_accept, p_low, p_high, p_large_if_bad, p_large_if_ok. Rows: the three log-odds, length, novelty.
    mix = [[1, 1, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, -wider, wider, 0, 0]]
    graph.node("Concat", [OUTPUT_LOGITS, "novelty"], "known", axis=1)
    shift = graph.constant("mix_bias", [0, -known, known, 0, 0])
    graph.node("Gemm", ["known", graph.constant("mix", mix), shift], "share_logits")
    graph.node("Sigmoid", ["share_logits"], "five_shares")
    graph.node("Concat", ["five_shares", "novelty"], OUTPUT_SHARES, axis=1)
