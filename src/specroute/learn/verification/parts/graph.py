"""Builds the verifier's ONNX graph by hand.

::

    answer -> TreeEnsembleRegressor, one target for each kind of answer ---> scores
    answer -> kind == 0, 1, ... -> one of each kind -------------------+---> its score * slope + prior_logit * weight
    prior_logit -------------------------------------------------------+       + offset -> Sigmoid -> p_accept
    answer -> standardised for its kind -> mean square to each centre -> least -> Sqrt -> / limit -> novelty
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from specroute.learn.verification.parts.novelty import CENTRES, CUT
from specroute.learn.verification.parts.stack import MAX_PRIOR_LOGIT
from specroute.learn.verification.samples import KIND_COLUMN
from specroute.predictor.verifier.features import FEATURE_NAMES, Kind
from specroute.predictor.verifier.model import INPUT_ANSWER, INPUT_PRIOR, OUTPUT_NOVELTY, OUTPUT_P

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from specroute.learn.verification.parts.forest import Ensemble, Tree
    from specroute.learn.verification.parts.novelty import Region
    from specroute.learn.verification.parts.stack import Stack

OPSET, ML_OPSET = 17, 3
IR_VERSION = 8  # old enough for every onnxruntime from 1.20 on


def to_onnx(
    ensembles: Mapping[Kind, Sequence[Ensemble]],
    stack: Stack,
    regions: Mapping[Kind, Region],
    limits: Mapping[Kind, float],
) -> bytes:
    """Returns the serialized graph, checked by onnx; equal arguments give equal bytes.

    Args:
        ensembles: of each kind, whose scores are averaged.
        stack: the last step.
        regions: of each kind.
        limits: of each kind, the distance that counts as 1.
    """
    graph = helper.make_graph(
        [
            helper.make_node("Unsqueeze", [INPUT_ANSWER, "row"], ["answers"]),
            _forest(ensembles),
            *_posterior(),
            *_distance(),
        ],
        "verifier",
        [
            helper.make_tensor_value_info(INPUT_ANSWER, TensorProto.FLOAT, [len(FEATURE_NAMES)]),
            helper.make_tensor_value_info(INPUT_PRIOR, TensorProto.FLOAT, [1]),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in (OUTPUT_P, OUTPUT_NOVELTY)],
        _initializers(_constants(stack, regions, limits)),
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    proto = helper.make_model(graph, producer_name="specroute", ir_version=IR_VERSION, opset_imports=opsets)
    onnx.checker.check_model(proto, full_check=True)
    serialized: bytes = proto.SerializeToString(deterministic=True)
    return serialized


def _initializers(constants: Mapping[str, Any]) -> list[Any]:
    found = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    indices = {"row": [0], "kind_column": [KIND_COLUMN]}
    return found + [numpy_helper.from_array(np.array(value, dtype=np.int64), name) for name, value in indices.items()]


def _constants(stack: Stack, regions: Mapping[Kind, Region], limits: Mapping[Kind, float]) -> dict[str, Any]:
    size = len(FEATURE_NAMES)
    mean, scale = np.zeros((len(Kind), size)), np.zeros((len(Kind), size))
    centres = np.zeros((len(Kind), CENTRES, size))
    limit = np.ones(len(Kind))
    for kind, region in regions.items():
        mean[kind], scale[kind], centres[kind], limit[kind] = region.mean, region.scale, region.centres, limits[kind]
    return {
        "kinds": np.arange(len(Kind)),
        "slope": stack.slope,
        "prior_weight": stack.prior,
        "offset": stack.offset,
        "prior_low": np.array(-MAX_PRIOR_LOGIT),
        "prior_high": np.array(MAX_PRIOR_LOGIT),
        "mean": mean,
        "scale": scale,
        "centres": centres,
        "limit": limit,
        "standard_low": np.array(-CUT),
        "standard_high": np.array(CUT),
    }


def _posterior() -> list[Any]:
    node = helper.make_node
    return [
        node("Gather", [INPUT_ANSWER, "kind_column"], ["kind"]),
        node("Equal", ["kind", "kinds"], ["is_kind"]),
        node("Cast", ["is_kind"], ["of_kind"], to=TensorProto.FLOAT),
        node("Squeeze", ["scores", "row"], ["score_of_kinds"]),
        node("Mul", ["score_of_kinds", "slope"], ["from_answer"]),
        node("Clip", [INPUT_PRIOR, "prior_low", "prior_high"], ["prior"]),
        node("Mul", ["prior", "prior_weight"], ["from_prior"]),
        node("Sum", ["from_answer", "from_prior", "offset"], ["log_odds_of_kinds"]),
        node("Mul", ["log_odds_of_kinds", "of_kind"], ["log_odds_if_kind"]),
        node("ReduceSum", ["log_odds_if_kind", "row"], ["log_odds"], keepdims=1),
        node("Sigmoid", ["log_odds"], [OUTPUT_P]),
    ]


def _distance() -> list[Any]:
    node = helper.make_node
    return [
        node("Cast", ["kind"], ["kind_index"], to=TensorProto.INT64),
        node("Gather", ["mean", "kind_index"], ["mean_of_kind"]),
        node("Gather", ["scale", "kind_index"], ["scale_of_kind"]),
        node("Gather", ["centres", "kind_index"], ["centres_of_kind"]),
        node("Gather", ["limit", "kind_index"], ["limit_of_kind"]),
        node("Sub", [INPUT_ANSWER, "mean_of_kind"], ["centred"]),
        node("Mul", ["centred", "scale_of_kind"], ["standardised"]),
        node("Clip", ["standardised", "standard_low", "standard_high"], ["standard"]),
        node("Sub", ["standard", "centres_of_kind"], ["gaps"]),
        node("Mul", ["gaps", "gaps"], ["squares"]),
        node("ReduceMean", ["squares"], ["mean_squares"], axes=[2], keepdims=0),
        node("ReduceMin", ["mean_squares"], ["least"], axes=[1], keepdims=0),
        node("Sqrt", ["least"], ["distance"]),
        node("Div", ["distance", "limit_of_kind"], [OUTPUT_NOVELTY]),
    ]


def _forest(ensembles: Mapping[Kind, Sequence[Ensemble]]) -> Any:
    columns: dict[str, Any] = {name: [] for name in _NODE_COLUMNS + _LEAF_COLUMNS}
    offsets = [0.0] * len(Kind)
    tree_id = 0
    for kind, members in sorted(ensembles.items()):
        for member in members:
            offsets[kind] += member.offset / len(members)
            for tree in member.trees():
                _append(columns, tree, tree_id, kind, 1.0 / len(members))
                tree_id += 1
    return helper.make_node(
        "TreeEnsembleRegressor",
        ["answers"],
        ["scores"],
        domain="ai.onnx.ml",
        n_targets=len(Kind),
        aggregate_function="SUM",
        post_transform="NONE",
        base_values=offsets,
        **columns,
    )


_NODE_COLUMNS = [
    f"nodes_{name}" for name in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
]
_LEAF_COLUMNS = [f"target_{name}" for name in ("treeids", "nodeids", "ids", "weights")]


def _append(columns: dict[str, list[Any]], tree: Tree, tree_id: int, kind: Kind, share: float) -> None:
    is_leaf = tree.left < 0
    count = is_leaf.size
    leaves = np.flatnonzero(is_leaf).tolist()
    columns["nodes_treeids"] += [tree_id] * count
    columns["nodes_nodeids"] += range(count)
    columns["nodes_featureids"] += tree.columns.tolist()
    columns["nodes_modes"] += ["LEAF" if leaf else "BRANCH_LEQ" for leaf in is_leaf.tolist()]
    columns["nodes_values"] += tree.thresholds.tolist()
    columns["nodes_truenodeids"] += np.maximum(tree.left, 0).tolist()
    columns["nodes_falsenodeids"] += np.maximum(tree.right, 0).tolist()
    columns["target_treeids"] += [tree_id] * len(leaves)
    columns["target_nodeids"] += leaves
    columns["target_ids"] += [int(kind)] * len(leaves)
    columns["target_weights"] += (tree.leaves[leaves] * share).tolist()
