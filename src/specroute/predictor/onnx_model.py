"""Runs the ONNX graph: hashed ids and surface measures in, one calibrated probability out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# The runtime reports to its vendor, and writes an id into the home folder, unless this is set before it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

from specroute.predictor.features import DENSE_SIZE

if TYPE_CHECKING:
    from specroute.predictor.features import Features

INPUT_IDS = "ids"
INPUT_DENSE = "dense"
OUTPUT_P = "p_accept"

_OUTPUTS = [OUTPUT_P]
_SIGNATURE = (
    f"inputs {INPUT_IDS}: tensor(int64)[n], {INPUT_DENSE}: tensor(float)[{DENSE_SIZE}] "
    f"and output {OUTPUT_P}: tensor(float)[1]"
)


class ModelGraphError(ValueError):
    """The graph cannot be loaded, or does not take and give what the predictor does."""


class OnnxModel:
    """One inference session, run inline on the caller's thread.

    Both thread pools are off: they spin for longer than the graph runs, and the CPU they would spin on is the event
    loop's.
    """

    def __init__(self, model: bytes) -> None:
        """Loads a serialized graph.

        Raises:
            ModelGraphError: it is not a graph that this runtime reads, or has another signature.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 4  # what fails is raised; the runtime's own log would only repeat it on stderr
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's errors share no public base class
            raise ModelGraphError(f"not a graph that onnxruntime {onnxruntime.__version__} reads") from error
        self._check_signature()

    def score(self, features: Features) -> float:
        """Returns the graph's probability, which may be non-finite where the graph is at fault.

        Raises:
            Exception: whatever the runtime raises; the caller is the border.
        """
        (p,) = self._session.run(_OUTPUTS, {INPUT_IDS: features.ids, INPUT_DENSE: features.dense})
        return float(p[0])

    def _check_signature(self) -> None:
        inputs = {node.name: (node.type, len(node.shape)) for node in self._session.get_inputs()}
        dense = [node.shape for node in self._session.get_inputs() if node.name == INPUT_DENSE]
        outputs = {node.name: (node.type, node.shape) for node in self._session.get_outputs()}
        is_right = (
            inputs == {INPUT_IDS: ("tensor(int64)", 1), INPUT_DENSE: ("tensor(float)", 1)}
            and dense == [[DENSE_SIZE]]
            and outputs == {OUTPUT_P: ("tensor(float)", [1])}
        )
        if not is_right:
            raise ModelGraphError(f"the graph's signature is not {_SIGNATURE}")
