"""Opens ONNX graphs for running them inline, on the caller's thread."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# The runtime reports to its vendor, and writes an id into the home folder, unless this is set before it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class ModelGraphError(ValueError):
    """The graph cannot be loaded, or does not take and give what its user does."""


def open_session(graph: bytes) -> onnxruntime.InferenceSession:
    """Returns a session for a serialized graph.

    Both thread pools are off: they spin for longer than a graph of ours runs, and the CPU they would spin on is the
    event loop's.

    Raises:
        ModelGraphError: it is not a graph that this runtime reads.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # what fails is raised; the runtime's own log would only repeat it on stderr
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors share no public base class
        raise ModelGraphError(f"not a graph that onnxruntime {onnxruntime.__version__} reads") from error


def bare_run(
    session: onnxruntime.InferenceSession, outputs: Sequence[str]
) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """Returns input name -> array to the arrays of ``outputs``, by the shortest way that the runtime has.

    The runtime's own ``run`` asks the session for its inputs at each call, to see that none is missing: that takes a
    third of what running a graph of ours does, and the graph's user has checked the signature at load.
    """
    run = getattr(session, "_sess", session).run  # a runtime without this inner session is asked the long way
    names = list(outputs)
    return lambda inputs: run(names, inputs, None)
