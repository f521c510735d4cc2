"""Measures a head on prompts by other authors: accuracy, what is named and rightly, recall of each class, confusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest

from specroute.predictor.intents.model import named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.learn.intents.prompts import LabelledPrompt
    from specroute.learn.intents.reading import Head


def measure_head(head: Head, prompts: Sequence[LabelledPrompt], p: NDArray[np.float64]) -> dict[str, Any]:
    """Returns plain values for the manifest and the card.

    Args:
        head: what was learnt.
        prompts: n labelled prompts that it has not seen.
        p: float64[n, classes].
    """
    labels = np.array([head.classes.index(getattr(prompt, head.name)) for prompt in prompts])
    guesses = [named(head.name, head.classes, head.cuts, row) for row in p.tolist()]
    values = np.array([guess.value for guess in guesses])
    truth = np.array([head.classes[label] for label in labels])
    likeliest = p.argmax(axis=1)
    said = values != ""
    english = np.array([prompt.language == "en" for prompt in prompts])
    confusion = np.zeros((len(head.classes), len(head.classes)), dtype=np.int64)
    np.add.at(confusion, (labels, likeliest), 1)
    return {
        "accuracy": _share(likeliest == labels),
        "accuracy_english": _share((likeliest == labels)[english]),
        "accuracy_other_languages": _share((likeliest == labels)[~english]),
        "log_loss": round(-float(np.log(np.maximum(p[np.arange(labels.size), labels], 1e-9)).mean()), 6),
        "named": _share(said),
        "accuracy_where_named": _share((values == truth)[said]),
        "classes": {
            name or "none": {
                "prompts": int((truth == name).sum()),
                "cut": head.cuts[index],
                "recall": _share((likeliest == index)[labels == index]),
                "recall_named": _share((values == name)[labels == index]),
                "precision_named": _share((truth == name)[(values == name) & (said | (name == ""))]),
            }
            for index, name in enumerate(head.classes)
        },
        "confusion": confusion.tolist(),
    }


def _share(hits: NDArray[np.bool_]) -> dict[str, float | None]:
    """Returns a share with its exact 95 % interval (Clopper and Pearson, 1934)."""
    if not hits.size:
        return {"value": None, "lo": None, "hi": None}
    interval = binomtest(int(hits.sum()), hits.size).proportion_ci(0.95)
    return {"value": round(float(hits.mean()), 6), "lo": round(interval.low, 6), "hi": round(interval.high, 6)}
