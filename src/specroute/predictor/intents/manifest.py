"""The part of a model folder's manifest that describes the inference of what a request is."""

from __future__ import annotations

from typing import Annotated

import msgspec

INTENTS_FILE = "intents.onnx"

_Ratio = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class HeadManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One classifier of the graph.

    Attributes:
        name: of the graph's output: task_type, risk or risk_domain.
        classes: its words, in the output's order; "": nothing to name.
        cuts: least probability at which each is named.
    """

    name: str
    classes: Annotated[tuple[str, ...], msgspec.Meta(min_length=2)]
    cuts: tuple[_Ratio, ...]


class GoldenIntents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text and the probabilities of all heads, one after the other, that the graph gave it when it was written."""

    text: str
    p: tuple[_Ratio, ...]


class IntentsManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``intents.onnx`` holds, and what proves that it is read as it was written.

    Attributes:
        grams_version: of what is read of a text.
        parity_max_abs_error: the largest difference between exported and trained probabilities.
    """

    grams_version: int
    heads: Annotated[tuple[HeadManifest, ...], msgspec.Meta(min_length=1)]
    parity_max_abs_error: float
    golden: Annotated[tuple[GoldenIntents, ...], msgspec.Meta(min_length=1)]
