"""Infers what a request seems to be, and names it only where that is sure enough to be acted on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from specroute.core.plan import NO_GUESS, Guess
from specroute.core.request import Risk
from specroute.predictor.intents.grams import GRAMS_VERSION, gram_ids
from specroute.predictor.session import ModelGraphError, open_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.predictor.intents.manifest import IntentsManifest

TASK_TYPE, RISK, RISK_DOMAIN = "task_type", "risk", "risk_domain"
INPUT_IDS = "ids"
GOLDEN_TOLERANCE = 1e-5


class Intents(NamedTuple):
    """The three guesses; a head that the model lacks guesses nothing."""

    task_type: Guess = NO_GUESS
    risk: Guess = NO_GUESS
    risk_domain: Guess = NO_GUESS


NO_INTENTS = Intents()


class IntentModel:
    """One inference session, run inline; stateless after construction, safe to share between threads."""

    def __init__(self, graph: bytes, manifest: IntentsManifest) -> None:
        """Loads a serialized graph and proves that it answers as it did when it was written.

        Raises:
            ModelGraphError: it is not the graph that the manifest describes.
        """
        if manifest.grams_version != GRAMS_VERSION:
            raise ModelGraphError(
                f"reads texts by version {manifest.grams_version}, this version of specroute by {GRAMS_VERSION}"
            )
        self._heads = manifest.heads
        self._outputs = [head.name for head in manifest.heads]
        self._session = open_session(graph)
        sizes = {output.name: output.shape for output in self._session.get_outputs()}
        if sizes != {head.name: [len(head.classes)] for head in manifest.heads}:
            raise ModelGraphError("its outputs are not the heads of the manifest")
        for golden in manifest.golden:
            found = [p for head in self.probabilities(golden.text) for p in head]
            if not (
                len(found) == len(golden.p)
                and all(abs(a - b) <= GOLDEN_TOLERANCE for a, b in zip(found, golden.p, strict=True))
            ):
                raise ModelGraphError("a golden text is inferred otherwise than when it was written")

    def infer(self, text: str) -> Intents:
        """Returns what ``text`` seems to be.

        Raises:
            Exception: whatever the runtime raises; the caller is the border.
        """
        guesses = {
            head.name: named(head.name, head.classes, head.cuts, p)
            for head, p in zip(self._heads, self.probabilities(text), strict=True)
        }
        return Intents(
            guesses.get(TASK_TYPE, NO_GUESS), guesses.get(RISK, NO_GUESS), guesses.get(RISK_DOMAIN, NO_GUESS)
        )

    def probabilities(self, text: str) -> list[list[float]]:
        """Returns the probabilities of each head's classes, in the manifest's order."""
        return [p.tolist() for p in self._session.run(self._outputs, {INPUT_IDS: gram_ids(text)})]


def named(name: str, classes: Sequence[str], cuts: Sequence[float], p: Sequence[float]) -> Guess:
    """Returns the likeliest class where its probability reaches its cut, else "" with that probability.

    High risk is named wherever its own probability reaches its cut, however likely another class is: to miss it is the
    worst error.

    Args:
        name: of the head.
        classes: the words, in the order of ``cuts`` and ``p``; "" stands for nothing to name.
        cuts: least probability at which each is named, in [0, 1].
        p: probabilities, summing to 1.
    """
    if name == RISK and Risk.HIGH.value in classes:
        high = classes.index(Risk.HIGH.value)
        if p[high] >= cuts[high]:
            return Guess(Risk.HIGH.value, float(p[high]))
    best = max(range(len(classes)), key=p.__getitem__)
    return Guess(classes[best] if p[best] >= cuts[best] else "", float(p[best]))
