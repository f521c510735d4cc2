"""Infers what a request seems to be, and names it only where that is sure enough to be acted on."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from specroute.core.plan import NO_GUESS, Guess
from specroute.core.request import Risk
from specroute.predictor.intents.grams import GRAMS_VERSION, gram_ids
from specroute.predictor.session import ModelGraphError, bare_run, open_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.predictor.intents.manifest import IntentsManifest
    from specroute.predictor.text.features import FeatureExtractor
    from specroute.predictor.text.ngrams import Tokens

TASK_TYPE, RISK, RISK_DOMAIN = "task_type", "risk", "risk_domain"
INPUT_IDS = "ids"
OUTPUT_P = "p"
_HIGH = Risk.HIGH.value
_OUTPUTS = [OUTPUT_P]
GOLDEN_TOLERANCE = 1e-5


class Intents(NamedTuple):
    """The three guesses; a head that the model lacks guesses nothing."""

    task_type: Guess = NO_GUESS
    risk: Guess = NO_GUESS
    risk_domain: Guess = NO_GUESS


NO_INTENTS = Intents()


class IntentModel:
    """One inference session, run inline; stateless after construction, safe to share between threads."""

    def __init__(self, graph: bytes, manifest: IntentsManifest, extractor: FeatureExtractor) -> None:
        """Loads a serialized graph and proves that it answers as it did when it was written.

        Args:
            graph: as it was written.
            manifest: what describes it.
            extractor: cuts texts into words as it did when the graph was trained.

        Raises:
            ModelGraphError: it is not the graph that the manifest describes.
        """
        if manifest.grams_version != GRAMS_VERSION:
            raise ModelGraphError(
                f"reads texts by version {manifest.grams_version}, this version of specroute by {GRAMS_VERSION}"
            )
        ends = list(accumulate(len(head.classes) for head in manifest.heads))
        self._parts = tuple(zip(manifest.heads, [0, *ends], ends, strict=False))
        session = open_session(graph)
        if {output.name: output.shape for output in session.get_outputs()} != {OUTPUT_P: ends[-1:]}:
            raise ModelGraphError("its output does not hold the heads of the manifest")
        self._run = bare_run(session, _OUTPUTS)
        for golden in manifest.golden:
            found = self.probabilities(extractor.extract(golden.text).tokens)
            if not (
                len(found) == len(golden.p)
                and all(abs(a - b) <= GOLDEN_TOLERANCE for a, b in zip(found, golden.p, strict=True))
            ):
                raise ModelGraphError("a golden text is inferred otherwise than when it was written")

    def infer(self, tokens: Tokens) -> Intents:
        """Returns what the text of ``tokens`` seems to be.

        Raises:
            Exception: whatever the runtime raises; the caller is the border.
        """
        p = self.probabilities(tokens)
        guesses = {
            head.name: named(head.name, head.classes, head.cuts, p[start:end]) for head, start, end in self._parts
        }
        return Intents(
            guesses.get(TASK_TYPE, NO_GUESS), guesses.get(RISK, NO_GUESS), guesses.get(RISK_DOMAIN, NO_GUESS)
        )

    def probabilities(self, tokens: Tokens) -> list[float]:
        """Returns the probabilities of all heads' classes, one head after the other, in the manifest's order."""
        p: list[float] = self._run({INPUT_IDS: gram_ids(tokens)})[0].tolist()
        return p


def named(name: str, classes: Sequence[str], cuts: Sequence[float], p: list[float]) -> Guess:
    """Returns the likeliest class where its probability reaches its cut, else "" with that probability.

    High risk is named wherever its own probability reaches its cut, however likely another class is: to miss it is the
    worst error.

    Args:
        name: of the head.
        classes: the words, in the order of ``cuts`` and ``p``; "" stands for nothing to name.
        cuts: least probability at which each is named, in [0, 1].
        p: probabilities, summing to 1.
    """
    if name == RISK and _HIGH in classes:
        high = classes.index(_HIGH)
        if p[high] >= cuts[high]:
            return Guess(_HIGH, float(p[high]))
    best = p.index(max(p))
    return Guess(classes[best] if p[best] >= cuts[best] else "", float(p[best]))
