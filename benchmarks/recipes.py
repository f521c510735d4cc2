"""Measures recipes for the predictor, shipped or not, out of fold on one file of outcomes.

Usage: ``python -m benchmarks.recipes --outcomes FILE [--pair 'mini|large'] [--encoder FOLDER] [--json]``

Every row of the pair is scored by models that did not see its group (5 folds). ``--encoder``: a sentence encoder in
Hugging Face's format (all-MiniLM-L6-v2, say), read through the library transformers, which this project does not
depend on: how much better the words of a language model would do, at some hundred times the cost.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from specroute.learn.dataset import read_outcomes
from specroute.learn.metrics import apgr, auroc, log_loss
from specroute.learn.training.doubt.interval import sigmoid
from specroute.learn.training.linear import extract
from specroute.learn.training.models.blend import OK, Corpus, fit_linear, fit_sized
from specroute.learn.training.models.cross import FOLDS, folds_of
from specroute.learn.training.models.reading import Reading, Table
from specroute.predictor.features import FeatureExtractor, FeatureSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.learn.dataset import Outcome

    Floats = NDArray[np.float64]

PAIR = "gpt-4o-mini|gpt-4o"
HASH_BITS = (16, 17, 18)
RANKS = (32, 64, 128, 256)
PENALTIES = (0.5, 2.0, 8.0)
AUXILIARY = (0.0, 0.25, 0.5, 1.0)
CHOSEN_BITS, CHOSEN_PENALTY, CHOSEN_WEIGHT = 17, 2.0, 0.5
_MOST_TOKENS, _BATCH = 128, 64


def words(corpus: Corpus, folds: NDArray[np.int64], penalty: float) -> Floats:
    """Returns the linear half's log-odds of each row, out of fold."""
    out = np.zeros(folds.size)
    for fold in range(FOLDS):
        half = fit_linear(corpus, folds != fold, OK, penalty)
        out[folds == fold] = half.logits(corpus.matrix)[corpus.text_of[folds == fold]]
    return out


def network(corpus: Corpus, folds: NDArray[np.int64], weight: float, seed: int) -> Floats:
    """Returns the network half's log-odds of each row, out of fold."""
    out = np.zeros(folds.size)
    for fold in range(FOLDS):
        fitted = fit_sized(corpus, folds != fold, weight, seed).network
        out[folds == fold] = fitted.outputs(corpus.inputs())[corpus.text_of[folds == fold], OK]
    return out


def figures(name: str, corpus: Corpus, logits: Floats) -> dict[str, Any]:
    own = corpus.is_own
    mini, large, p = corpus.mini[own], corpus.large[own], sigmoid(logits[own])
    largest = max(
        np.unique(corpus.sources[own]).tolist(), key=lambda source: int((corpus.sources[own] == source).sum())
    )
    part = corpus.sources[own] == largest
    return {
        "recipe": name,
        "log_loss": round(log_loss(mini, p), 4),
        "auroc": round(auroc(mini, p), 4),
        f"auroc_{largest}": round(auroc(mini[part], p[part]), 4),
        "apgr_deciles": round(apgr(mini, large, -p, bins=10), 4),
    }


def read(rows: Sequence[Outcome], pair: str, bits: int, seed: int) -> tuple[list[str], Corpus]:
    texts = list(dict.fromkeys(row.prompt for row in rows))
    ngrams, dense = extract(FeatureExtractor(FeatureSettings(hash_bits=bits)), texts)
    return texts, Table.of(rows, pair, texts, ngrams, dense).read_by(Reading.fit(ngrams, dense, seed))


def embedded(folder: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    """Returns the standardised mean-pooled embeddings of the first tokens of each text."""
    import torch  # type: ignore[import-not-found]  # noqa: PLC0415 - not among the project's libraries
    from transformers import AutoModel, AutoTokenizer  # type: ignore[import-not-found]  # noqa: PLC0415

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    found = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            inputs = tokenizer(
                [texts[at][:2000] for at in batch],
                padding=True,
                truncation=True,
                max_length=_MOST_TOKENS,
                return_tensors="pt",
            )
            mask = inputs["attention_mask"][:, :, None]
            hidden = model(**inputs).last_hidden_state
            found[batch] = ((hidden * mask).sum(1) / mask.sum(1)).numpy()
    standardised: NDArray[np.float32] = (found - found.mean(axis=0)) / found.std(axis=0)
    return standardised


def measured(rows: Sequence[Outcome], pair: str, encoder: Path | None, seed: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def add(name: str, corpus: Corpus, logits: Floats) -> None:
        found.append(figures(name, corpus, logits))
        print(json.dumps(found[-1]), flush=True)

    for bits in HASH_BITS:
        texts, corpus = read(rows, pair, bits, seed)
        folds = folds_of(corpus.groups, seed)
        of_words = words(corpus, folds, CHOSEN_PENALTY)
        of_network = network(corpus, folds, CHOSEN_WEIGHT, seed)
        add(f"blend, 2^{bits} buckets", corpus, 0.5 * (of_words + of_network))
        if bits != CHOSEN_BITS:
            continue
        for penalty in PENALTIES:
            add(f"words, C={penalty:g}", corpus, words(corpus, folds, penalty))
        for weight in AUXILIARY:
            add(f"network, other pairs {weight:g}", corpus, network(corpus, folds, weight, seed))
        for rank in RANKS:
            narrow = replace(corpus, coordinates=corpus.coordinates[:, :rank])
            add(f"network, {rank} directions", narrow, network(narrow, folds, CHOSEN_WEIGHT, seed))
        bare = replace(corpus, coordinates=corpus.coordinates[:, :0])
        add("network, surface measures alone", bare, network(bare, folds, CHOSEN_WEIGHT, seed))
        more = network(corpus, folds, CHOSEN_WEIGHT, seed + 1)
        add("words and two networks", corpus, (of_words + 0.5 * (of_network + more)) / 2.0)
        if encoder is not None:
            dense = replace(corpus, coordinates=embedded(encoder, texts))
            of_encoder = network(dense, folds, CHOSEN_WEIGHT, seed)
            add("sentence encoder and network", dense, of_encoder)
            add("words and sentence encoder", dense, 0.5 * (of_words + of_encoder))
            add("all three", dense, (of_words + of_network + of_encoder) / 3.0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--outcomes", type=Path, required=True)
    parser.add_argument("--pair", default=PAIR)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one object a recipe and no table")
    arguments = parser.parse_args()
    with threadpool_limits(limits=1):
        found = measured(read_outcomes(arguments.outcomes).rows, arguments.pair, arguments.encoder, arguments.seed)
    if not arguments.json:
        for item in found:
            print(" ".join(f"{value:<34}" if isinstance(value, str) else f"{value:8.4f}" for value in item.values()))


if __name__ == "__main__":
    main()
