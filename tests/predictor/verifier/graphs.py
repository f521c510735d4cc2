"""Small graphs with the verifier's signature: the odds rise with the prior and with sums that agree with the result."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from specroute.predictor.verifier.features import FEATURE_NAMES, FEATURES_VERSION
from specroute.predictor.verifier.manifest import VerifierGolden, VerifierManifest

AGREES = FEATURE_NAMES.index("result_is_last_sum")
SYMBOLS = FEATURE_NAMES.index("prompt_symbols")
GOLDEN = VerifierGolden("Tell me a story.", "Once there was a fox.", 0.0, None, "open_ended")


def a_graph(*, size: int = len(FEATURE_NAMES), bias: float = 0.0) -> bytes:
    node = helper.make_node
    weights = np.zeros(size, dtype=np.float32)
    weights[AGREES] = 2.0
    constants = {"weights": weights, "bias": np.array([bias], dtype=np.float32)}
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    initializers.append(numpy_helper.from_array(np.array([0], dtype=np.int64), "axis"))
    initializers.append(numpy_helper.from_array(np.array([SYMBOLS], dtype=np.int64), "symbols"))
    graph = helper.make_graph(
        [
            node("Mul", ["answer", "weights"], ["weighted"]),
            node("ReduceSum", ["weighted", "axis"], ["score"], keepdims=1),
            node("Sum", ["score", "prior_logit", "bias"], ["odds"]),
            node("Sigmoid", ["odds"], ["p_accept"]),
            node("Gather", ["answer", "symbols"], ["novelty"]),
        ],
        "verifier",
        [
            helper.make_tensor_value_info("answer", TensorProto.FLOAT, [size]),
            helper.make_tensor_value_info("prior_logit", TensorProto.FLOAT, [1]),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("p_accept", "novelty")],
        initializers,
    )
    opsets = [helper.make_opsetid("", 17)]
    serialized: bytes = helper.make_model(graph, ir_version=8, opset_imports=opsets).SerializeToString()
    return serialized


def a_manifest(
    *,
    kinds: tuple[str, ...] = ("result", "confidence"),
    golden: tuple[VerifierGolden, ...] = (GOLDEN,),
    features_version: int = FEATURES_VERSION,
) -> VerifierManifest:
    return VerifierManifest(
        features_version=features_version,
        features=FEATURE_NAMES,
        kinds=kinds,
        novelty_limit=1.0,
        min_p=0.5,
        operating_points={},
        parity_max_abs_error=0.0,
        rows=300,
        auxiliary_rows=0,
        metrics={},
        golden=golden,
    )
