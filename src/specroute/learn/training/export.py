"""Builds the ONNX graph of a trained model and proves that it scores as the training framework does.

The graph folds everything between features and probability: n-gram weights, their norm, the scaling of the surface
measures, and the calibration::

    ids   -> Gather(table: weight * idf, idf ** 2) -> sum over ids -> first / sqrt(second) --+
    dense -> (dense - mean) / std -> clip -> dot weights ------------------------------------+-> + intercept
                                                                  -> * slope + offset -> Sigmoid -> p_accept
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from specroute.learn.training.linear import DENSE_LIMIT, DENSE_SCALE
from specroute.predictor.features import DENSE_SIZE
from specroute.predictor.onnx_model import INPUT_DENSE, INPUT_IDS, OUTPUT_P

if TYPE_CHECKING:
    from specroute.learn.training.calibration import Platt
    from specroute.learn.training.linear import Encoder, LinearModel

OPSET = 17
IR_VERSION = 8  # the two are old enough for every onnxruntime from 1.20 on
_LEAST_SQUARE = 1e-12  # the norm of no n-gram at all


def to_onnx(model: LinearModel, encoder: Encoder, platt: Platt) -> bytes:
    """Returns the serialized graph, checked by onnx; equal arguments give equal bytes."""
    weights, intercept = model.folded()
    size = encoder.idf.size
    constants = {
        "table": np.stack([weights[:size] * encoder.idf, encoder.idf**2], axis=1),
        "mean": encoder.mean,
        "std": encoder.std,
        "dense_weights": weights[size:] * DENSE_SCALE,
        "limit_low": np.array(-DENSE_LIMIT),
        "limit_high": np.array(DENSE_LIMIT),
        "least_square": np.array([_LEAST_SQUARE]),
        "intercept": np.array([intercept]),
        "slope": np.array([platt.slope]),
        "offset": np.array([platt.intercept]),
    }
    initializers = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    initializers += [
        numpy_helper.from_array(np.array(value, dtype=np.int64), name)
        for name, value in {"first_axis": [0], "parts": [1, 1]}.items()
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", INPUT_IDS], ["entries"], axis=0),
            helper.make_node("ReduceSum", ["entries", "first_axis"], ["sums"], keepdims=0),
            helper.make_node("Split", ["sums", "parts"], ["weight_sum", "square_sum"], axis=0),
            helper.make_node("Max", ["square_sum", "least_square"], ["square"]),
            helper.make_node("Sqrt", ["square"], ["norm"]),
            helper.make_node("Div", ["weight_sum", "norm"], ["from_ngrams"]),
            helper.make_node("Sub", [INPUT_DENSE, "mean"], ["centred"]),
            helper.make_node("Div", ["centred", "std"], ["standardised"]),
            helper.make_node("Clip", ["standardised", "limit_low", "limit_high"], ["clipped"]),
            helper.make_node("Mul", ["clipped", "dense_weights"], ["surface"]),
            helper.make_node("ReduceSum", ["surface", "first_axis"], ["from_surface"], keepdims=1),
            helper.make_node("Sum", ["from_ngrams", "from_surface", "intercept"], ["log_odds"]),
            helper.make_node("Mul", ["log_odds", "slope"], ["sharpened"]),
            helper.make_node("Add", ["sharpened", "offset"], ["calibrated"]),
            helper.make_node("Sigmoid", ["calibrated"], [OUTPUT_P]),
        ],
        "p_accept",
        [
            helper.make_tensor_value_info(INPUT_IDS, TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info(INPUT_DENSE, TensorProto.FLOAT, [DENSE_SIZE]),
        ],
        [helper.make_tensor_value_info(OUTPUT_P, TensorProto.FLOAT, [1])],
        initializers,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    proto = helper.make_model(graph, producer_name="specroute", ir_version=IR_VERSION, opset_imports=opsets)
    onnx.checker.check_model(proto, full_check=True)
    serialized: bytes = proto.SerializeToString(deterministic=True)
    return serialized
