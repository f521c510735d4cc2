"""Measures recipes for the predictor, shipped or not, out of fold on recorded outcomes, then once on a test file.

Usage: ``python -m benchmarks.recipes --outcomes FILE [--test FILE] [--encoder FOLDER] [--own] [--gsm8k] [--time]``

``--encoder``: a sentence encoder in Hugging Face's format (all-MiniLM-L6-v2, say), read through torch and transformers,
which this project does not depend on. It adds the recipes that need one; it runs on a GPU where torch finds one.
``--gsm8k``: RouteLLM's GSM8K outcomes instead, by its metric. ``--time``: the time of one prompt instead.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from benchmarks.routellm import CONTAMINATED, SOURCES, worth
from benchmarks.routellm import PAIR as ROUTELLM_PAIR
from benchmarks.scoring import english, in_turn, microseconds
from specroute.learn.dataset import read_outcomes
from specroute.learn.metrics import Figure, apgr, auroc, figure, log_loss, measure_difference, resamples
from specroute.learn.readers import read_rows
from specroute.learn.training.calibration import Platt
from specroute.learn.training.linear import Encoder, extract
from specroute.learn.training.models.blend import OK, QUESTIONS, Corpus, fit_linear, fit_sized
from specroute.learn.training.models.cross import FOLDS, folds_of
from specroute.learn.training.models.reading import Reading, Table
from specroute.predictor.predictor import OnnxPredictor
from specroute.predictor.text.features import FeatureExtractor, FeatureSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from specroute.learn.dataset import Outcome

    Floats = NDArray[np.float64]
    Rows = NDArray[np.bool_]
    Fit = Callable[[Corpus, Rows], Floats]
    SentenceEncoder = Callable[[Sequence[str], int], NDArray[np.float32]]

PAIR = "gpt-4o-mini|gpt-4o"
MODEL = Path("router_models/default")  # what --time times
SHIPPED = "n-grams, linear and network (shipped)"
PENALTY, OTHERS = 2.0, 0.5  # what cross-validation chose for the shipped model
SEED = 0
TOKENS = (128, 256)
HEAD, TAIL = 1000, 500  # what the shipped model reads of a text
CHARACTER_GRAMS, BUCKETS = (2, 4), 2**17
WIDTH, RIDGE, PASSES, _BATCH = 256, 1.0, 30, 64
GSM8K = {SOURCES["GSM8K"], "zeroeval_gsm8k"}  # the second has the same problems, under other pairs
OTHER_LABELS = (0.0, 0.3)
STRENGTH = {"n-grams": 2.0, "sentence vectors": 0.003}  # scikit-learn's C: fixed beforehand, one set for every target


def sentence_encoder(folder: Path, threads: int) -> SentenceEncoder:
    """Returns what gives float32[texts, d]: the mean of the last layer over each text's first tokens."""
    import torch  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - not among the project's libraries
    import transformers  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).float().eval().to(device)

    def encode(texts: Sequence[str], tokens: int) -> NDArray[np.float32]:
        order = np.argsort([len(text) for text in texts])
        found = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
        for batch in np.array_split(order, -(-order.size // _BATCH)):
            read = [texts[at][: HEAD + TAIL] for at in batch]
            inputs = tokenizer(read, padding=True, truncation=True, max_length=tokens, return_tensors="pt").to(device)
            mask = inputs["attention_mask"][:, :, None]
            with torch.inference_mode():
                found[batch] = ((model(**inputs).last_hidden_state * mask).sum(1) / mask.sum(1)).cpu().numpy()
        return found

    return encode


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows to learn from and then rows to test on, r in all, of t distinct texts.

    Attributes:
        corpus: what is read of them; rarity and directions are learnt from the first ``learnt`` texts alone.
        folds: int64[r]; -1: a row of the test file, which nothing learns from.
        texts: t.
        learnt: how many of them, the first, are those of rows to learn from.
        ngrams: float64[t, buckets], weighted, of length 1.
    """

    corpus: Corpus
    folds: NDArray[np.int64]
    texts: list[str]
    learnt: int
    ngrams: sparse.csr_matrix

    @classmethod
    def of(cls, rows: Sequence[Outcome], test: Sequence[Outcome], pair: str) -> Sheet:
        """Reads ``rows`` to learn from and ``test``."""
        texts = list(dict.fromkeys(row.prompt for row in (*rows, *test)))
        learnt = len({row.prompt for row in rows})
        ngrams, dense = extract(FeatureExtractor(FeatureSettings()), texts)
        reading = Reading.fit(ngrams[:learnt], dense[:learnt], SEED)
        corpus = Table.of((*rows, *test), pair, texts, ngrams, dense).read_by(reading)
        folds = np.full(len(rows) + len(test), -1)
        folds[: len(rows)] = folds_of(corpus.groups[: len(rows)], SEED)
        return cls(corpus, folds, texts, learnt, reading.encoder.scaled(ngrams))

    def scored(self, fit: Fit, corpus: Corpus) -> Floats:
        """Returns float64[r, QUESTIONS] in log-odds, each row by a model that saw neither its fold nor the test."""
        out = np.zeros((self.folds.size, QUESTIONS))
        for fold in np.unique(self.folds):
            held_out = self.folds == fold
            out[held_out] = fit(corpus, ~held_out & (self.folds >= 0))[corpus.text_of[held_out]]
        return out

    def reading(self, vectors: NDArray[np.float32]) -> Corpus:
        """Returns the corpus with ``vectors``, float32[t, d], standardised, for directions."""
        mean, std = vectors[: self.learnt].mean(axis=0), vectors[: self.learnt].std(axis=0)
        return replace(self.corpus, coordinates=((vectors - mean) / np.where(std > 0.0, std, 1.0)).astype(np.float32))


def words(corpus: Corpus, rows: Rows) -> Floats:
    halves = (fit_linear(corpus, rows, question, PENALTY) for question in range(QUESTIONS))
    return np.stack([half.logits(corpus.matrix) for half in halves], axis=1)


def network(corpus: Corpus, rows: Rows) -> Floats:
    return fit_sized(corpus, rows, OTHERS, SEED).network.outputs(corpus.inputs())[:, :QUESTIONS]


def characters(sheet: Sheet) -> Corpus:
    """Returns the corpus with hashed character n-grams for words: no word list, no letter case, any script."""
    hashed = HashingVectorizer(n_features=BUCKETS, binary=True, norm=None, alternate_sign=False)
    hashed.set_params(analyzer="char", ngram_range=CHARACTER_GRAMS)
    grams = hashed.transform([f"{text[:HEAD]} {text[HEAD:][-TAIL:]}" for text in sheet.texts])
    encoder = Encoder.fit(grams[: sheet.learnt], sheet.corpus.surface[: sheet.learnt])
    return replace(sheet.corpus, matrix=encoder.encode(grams, sheet.corpus.surface))


def static_words(sheet: Sheet, sentences: NDArray[np.float32]) -> Corpus:
    """Returns the corpus read by a table of n-grams' vectors that were regressed on the encoder's sentences.

    A fold's texts are read by a table that was not fitted to their own sentence vectors, as unseen texts would be.
    """
    width = min(WIDTH, sheet.learnt, sentences.shape[1])
    aims = PCA(width, svd_solver="full").fit(sentences[: sheet.learnt]).transform(sentences)
    found = np.zeros(aims.shape, np.float32)
    fold_of = np.full(len(sheet.texts), -1)
    fold_of[sheet.corpus.text_of[::-1]] = sheet.folds[::-1]
    for fold in np.unique(fold_of):
        fitted = np.flatnonzero((fold_of != fold) & (fold_of >= 0))
        table = Ridge(RIDGE, fit_intercept=False, solver="sparse_cg", max_iter=PASSES)
        found[fold_of == fold] = table.fit(sheet.ngrams[fitted], aims[fitted]).predict(sheet.ngrams[fold_of == fold])
    return sheet.reading(found)


def recipes(sheet: Sheet, encoder: SentenceEncoder | None, sizes: Sequence[int] = TOKENS) -> dict[str, Floats]:
    """Returns the log-odds, float64[r, QUESTIONS], of every recipe by its name."""
    of_words = sheet.scored(words, sheet.corpus)
    of_network = sheet.scored(network, sheet.corpus)
    of_surface = sheet.scored(network, replace(sheet.corpus, coordinates=sheet.corpus.coordinates[:, :0]))
    of_characters = sheet.scored(words, characters(sheet))
    found = {
        "hashed n-grams, linear": of_words,
        "n-grams' directions, network": of_network,
        SHIPPED: (of_words + of_network) / 2.0,
        "surface measures, network": of_surface,
        "character n-grams and surface, linear": of_characters,
        "character n-grams, linear, and surface, network": (of_characters + of_surface) / 2.0,
    }
    if encoder is None:
        return found
    for tokens in sizes:
        sentences = encoder(sheet.texts, tokens)
        of_encoder = sheet.scored(network, sheet.reading(sentences))
        found[f"sentence encoder, {tokens} tokens, network"] = of_encoder
        found[f"sentence encoder, {tokens} tokens, and shipped"] = (of_words + of_network + of_encoder) / 3.0
    of_table = sheet.scored(network, static_words(sheet, sentences))
    found |= {"static table, network": of_table, "static table, and n-grams linear": (of_words + of_table) / 2.0}
    return found


def figures(sheet: Sheet, scored: dict[str, Floats]) -> list[dict[str, str]]:
    """Returns a row per file and recipe; calibrated on the scores out of fold, differences with intervals."""
    corpus, own = sheet.corpus, sheet.corpus.is_own
    learnt = own & (sheet.folds >= 0)
    names, counts = np.unique(corpus.sources[learnt], return_counts=True)
    largest = str(names[np.argmax(counts)])
    p = {name: Platt.fit(z[learnt, OK], corpus.mini[learnt]).p(z[:, OK]) for name, z in scored.items()}
    found, tested = [], own & (sheet.folds < 0)
    for file, rows in [("out of fold", learnt), ("test", tested)][: 1 + tested.any()]:
        mini, large, part = corpus.mini[rows], corpus.large[rows], corpus.sources[rows] == largest
        draws = resamples(corpus.groups[rows], SEED)
        for name, logits in scored.items():
            of, rank = p[name][rows], worth(logits, corpus, learnt)[rows]
            less = measure_difference(mini, of, p[SHIPPED][rows], draws, ("auroc", "log_loss"))
            row = {"file": file, "recipe": name, "AUROC": f"{auroc(mini, of):.3f}"}
            row[f"AUROC, {largest}"] = f"{auroc(mini[part], of[part]):.3f}"
            row |= {"log-loss": f"{log_loss(mini, of):.4f}", "APGR": f"{apgr(mini, large, rank, bins=10):.3f}"}
            row["AUROC less the shipped"] = interval(less["auroc"], "+.3f")
            row["log-loss less the shipped"] = interval(less["log_loss"], "+.4f")
            found.append(row)
    return found


def gsm8k(outcomes: Path, encoder: SentenceEncoder | None) -> list[dict[str, str]]:
    """Returns the APGR of every target, reading and use of other pairs' labels, on RouteLLM's GSM8K, out of fold."""
    flags = ((row["prompt"], str(row.get("flags"))) for row in read_rows(outcomes, ("prompt", "flags")))
    flagged = {prompt for prompt, flag in flags if CONTAMINATED in flag}
    rows = [row for row in read_outcomes(outcomes).rows if row.source in GSM8K and row.prompt not in flagged]
    sheet = Sheet.of(rows, (), ROUTELLM_PAIR)
    corpus, own = sheet.corpus, sheet.corpus.is_own
    readings: dict[str, Any] = {"n-grams": corpus.matrix}
    halves = sheet.scored(words, corpus) + sheet.scored(network, corpus)
    scored = {"shipped recipe, GSM8K alone": worth(halves / 2.0, corpus, own)}
    if encoder:
        read = sheet.reading(encoder(sheet.texts, max(TOKENS)))
        readings["sentence vectors"] = sparse.csr_matrix(read.inputs(), dtype=np.float64)
        scored["sentence vectors, network"] = worth(sheet.scored(network, read), corpus, own)
    weak, strong = 1.0 - corpus.mini, np.nan_to_num(corpus.large)
    for name, matrix in readings.items():
        for others in OTHER_LABELS:
            fitted = partial(_crossed, sheet, matrix[corpus.text_of], others, STRENGTH[name])
            label = f"{name}, linear{', other pairs too' if others else ''}"
            scored[f"{label}: weak wrong"] = wrong = fitted(weak)
            scored[f"{label}: strong wins"] = fitted(weak * strong)
            scored[f"{label}: strong right less weak right"] = fitted(strong) - (1.0 - wrong)
    mini, large, draws = corpus.mini[own], corpus.large[own], resamples(corpus.groups[own], SEED)
    found = []
    for name, score in scored.items():
        drawn = figure(lambda weights, of=score[own]: apgr(mini, large, of, weights, 10), draws)  # type: ignore[misc]
        found.append({"rows": str(own.sum()), "recipe": name, "APGR": interval(drawn, ".3f")})
    return found


def _crossed(sheet: Sheet, matrix: sparse.csr_matrix, others: float, strength: float, labels: Floats) -> Floats:
    """Returns float64[r], chances out of fold; ``others``: how much a row of another pair counts."""
    weights, out = np.where(sheet.corpus.is_own, 1.0, others), np.zeros(labels.size)
    for fold in range(FOLDS):
        seen = (sheet.folds != fold) & (weights > 0.0)
        model = LogisticRegression(C=strength, max_iter=1000).fit(matrix[seen], labels[seen], weights[seen])
        out[sheet.folds == fold] = model.predict_proba(matrix[sheet.folds == fold])[:, 1]
    return out


def times(encoder: SentenceEncoder | None) -> list[dict[str, str]]:
    """Returns the median time of one prompt on one core, on this machine."""
    texts = [english(Random(at), 2000) for at in range(64)]
    timed: dict[str, Callable[[str], object]] = {SHIPPED: OnnxPredictor.load(MODEL).score}
    for tokens in TOKENS if encoder else ():
        timed[f"sentence encoder, {tokens} tokens"] = lambda text, tokens=tokens: encoder([text], tokens)  # type: ignore[misc]
    calls = {name: 64 if name == SHIPPED else 4 for name in timed}  # an encoder takes a thousand times as long
    return [
        {"recipe": name, "us": f"{microseconds(in_turn(call, texts), calls[name])[1]:.1f}"}
        for name, call in timed.items()
    ]


def interval(item: Figure, form: str) -> str:
    return "-" if item.value is None else f"{item.value:{form}} [{item.lo:{form}}, {item.hi:{form}}]"


def printed(found: Sequence[dict[str, str]], markdown: bool) -> str:
    lines = [f"| {' | '.join(item.values())} |" for item in found]
    head = [f"| {' | '.join(found[0])} |", f"|{' --- |' * len(found[0])}"]
    return "\n".join([*head, *lines] if markdown else map(json.dumps, found))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known = os.environ.get("SPECROUTE_OUTCOMES")
    parser.add_argument("--outcomes", type=Path, default=known, help="what is learnt from, 5 folds by group")
    parser.add_argument("--test", type=Path, help="measured once, by models of all of --outcomes")
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--tokens", type=int, nargs="*", default=TOKENS, help="how much the encoder reads")
    parser.add_argument("--own", action="store_true", help="no row of another pair: quicker, for every recipe alike")
    for flag in ("--gsm8k", "--time", "--markdown"):
        parser.add_argument(flag, action="store_true")
    arguments = parser.parse_args()
    if arguments.outcomes is None and not arguments.time:
        parser.error("--outcomes is missing: give the path of recorded outcomes")
    threads = 1 if arguments.time else os.cpu_count() or 1
    encoder = sentence_encoder(arguments.encoder, threads) if arguments.encoder else None
    with threadpool_limits(limits=1):
        if arguments.time or arguments.gsm8k:
            found = times(encoder) if arguments.time else gsm8k(arguments.outcomes, encoder)
        else:
            test = read_outcomes(arguments.test).rows if arguments.test else ()
            learnt = [row for row in read_outcomes(arguments.outcomes).rows if row.pair == PAIR or not arguments.own]
            sheet = Sheet.of(learnt, test, PAIR)
            found = figures(sheet, recipes(sheet, encoder, arguments.tokens))
    print(printed(found, arguments.markdown))


if __name__ == "__main__":
    main()
