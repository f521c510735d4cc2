"""Runs the ONNX graph: hashed ids and surface measures in, calibrated log-odds and probabilities out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from specroute.predictor.session import ModelGraphError, bare_run, open_session
from specroute.predictor.text.features import DENSE_SIZE

if TYPE_CHECKING:
    from specroute.predictor.text.features import Features

INPUT_IDS = "ids"
INPUT_DENSE = "dense"
OUTPUT_LOGITS = "logits"
OUTPUT_SHARES = "shares"


class Scores(NamedTuple):
    """What the graph says of one text.

    Attributes:
        logit: log-odds of ``p_accept``.
        p_accept: P(the mini's answer is acceptable), calibrated.
        p_low, p_high: its epistemic interval.
        p_large_if_bad: P(the large model's answer is acceptable | the mini's is not).
        p_large_if_ok: the same where the mini's is.
        log_tokens: log(1 + length of the mini's answer in tokens); 0 where nothing was learnt about it.
        novelty: how unlike anything learnt from the text is, in [0, 1].
    """

    logit: float
    p_accept: float
    p_low: float
    p_high: float
    p_large_if_bad: float
    p_large_if_ok: float
    log_tokens: float
    novelty: float


LOGIT_COUNT = 4
"""The size of output ``logits``: log-odds of p_accept, p_large_if_bad, p_large_if_ok; log_tokens."""

SHARE_COUNT = 6
"""The size of output ``shares``: p_accept, p_low, p_high, p_large_if_bad, p_large_if_ok, novelty."""

_OUTPUTS = [OUTPUT_LOGITS, OUTPUT_SHARES]
_SIGNATURE = (
    f"inputs {INPUT_IDS}: tensor(int64)[n], {INPUT_DENSE}: tensor(float)[{DENSE_SIZE}] and outputs "
    f"{OUTPUT_LOGITS}: tensor(float)[1, {LOGIT_COUNT}], {OUTPUT_SHARES}: tensor(float)[1, {SHARE_COUNT}]"
)


class OnnxModel:
    """One inference session, run inline on the caller's thread."""

    def __init__(self, model: bytes) -> None:
        """Loads a serialized graph.

        Raises:
            ModelGraphError: it is not a graph that this runtime reads, or has another signature.
        """
        self._session = open_session(model)
        self._check_signature()
        self._run = bare_run(self._session, _OUTPUTS)

    def run(self, features: Features) -> Scores:
        """Returns the graph's scores, non-finite where it is at fault.

        Raises:
            Exception: whatever the runtime raises; the caller is the border.
        """
        logits, shares = self._run({INPUT_IDS: features.ids, INPUT_DENSE: features.dense})
        ((logit, _, _, log_tokens),), ((p, low, high, if_bad, if_ok, novelty),) = logits.tolist(), shares.tolist()
        return Scores(logit, p, low, high, if_bad, if_ok, log_tokens, novelty)

    def _check_signature(self) -> None:
        inputs = {node.name: (node.type, len(node.shape)) for node in self._session.get_inputs()}
        dense = [node.shape for node in self._session.get_inputs() if node.name == INPUT_DENSE]
        outputs = {node.name: (node.type, node.shape) for node in self._session.get_outputs()}
        is_right = (
            inputs == {INPUT_IDS: ("tensor(int64)", 1), INPUT_DENSE: ("tensor(float)", 1)}
            and dense == [[DENSE_SIZE]]
            and outputs
            == {
                OUTPUT_LOGITS: ("tensor(float)", [1, LOGIT_COUNT]),
                OUTPUT_SHARES: ("tensor(float)", [1, SHARE_COUNT]),
            }
        )
        if not is_right:
            raise ModelGraphError(f"the graph's signature is not {_SIGNATURE}")
