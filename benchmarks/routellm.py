"""Measures the predictor's recipe on RouteLLM's recorded MMLU and GSM8K outcomes, with RouteLLM's metric.

Usage: ``python -m benchmarks.routellm --outcomes FILE [--few 1500] [--seed 0] [--json]``

Every row is scored by models that did not see its group (5 folds). Prompts that RouteLLM leaves out as contaminated are
left out of what is measured. APGR by RouteLLM's code: trapezoids over ten quantile bins; beside it, over all rows. With
``--few N``, each of several draws learns from N graded rows of MMLU alone and is measured on the rest.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from specroute.learn.dataset import read_outcomes
from specroute.learn.metrics import apgr, auroc, figure, resamples
from specroute.learn.readers import read_rows
from specroute.learn.training.calibration import Platt
from specroute.learn.training.linear import extract
from specroute.learn.training.models.blend import LARGE_IF_BAD, LARGE_IF_OK, OK, Settings, fit_blend
from specroute.learn.training.models.cross import AUXILIARY_WEIGHTS, cross_fit
from specroute.learn.training.models.reading import Reading, Table
from specroute.predictor.text.features import FeatureExtractor, FeatureSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.learn.dataset import Outcome
    from specroute.learn.training.models.blend import Corpus

    Floats = NDArray[np.float64]

PAIR = "mixtral-8x7b|gpt-4"
SOURCES = {"MMLU": "routellm_mmlu", "GSM8K": "routellm_gsm8k"}
CONTAMINATED = "routellm_contaminated"
TARGETS = {"MMLU": 0.640, "GSM8K": 0.622, "few": 0.593}
FEW_DRAWS = 5


def worth(logits: Floats, corpus: Corpus, own: NDArray[np.bool_]) -> Floats:
    """Returns what a large call is worth, float64[r], from log-odds calibrated on the rows ``own``."""
    labels = corpus.labels()
    p = np.zeros_like(logits)
    for question in (OK, LARGE_IF_BAD, LARGE_IF_OK):
        known = own & ~np.isnan(labels[:, question])
        p[:, question] = Platt.fit(logits[known, question], labels[known, question]).p(logits[:, question])
    found: Floats = (1.0 - p[:, OK]) * p[:, LARGE_IF_BAD] - p[:, OK] * (1.0 - p[:, LARGE_IF_OK])
    return found


def measured(corpus: Corpus, score: Floats, rows: NDArray[np.bool_], seed: int) -> dict[str, Any]:
    mini, large = corpus.mini[rows], corpus.large[rows]
    draws = resamples(corpus.groups[rows], seed)
    return {
        "rows": int(rows.sum()),
        "apgr_deciles": figure(lambda weights: apgr(mini, large, score[rows], weights, 10), draws).to_json(),
        "apgr_trapezoid": figure(lambda weights: apgr(mini, large, score[rows], weights), draws).to_json(),
        "cpt50": share_for(mini, large, score[rows], 0.5),
        "cpt80": share_for(mini, large, score[rows], 0.8),
        "auroc": round(auroc(mini, -score[rows]), 4),
    }


def share_for(mini: Floats, large: Floats, score: Floats, recovered: float) -> float:
    """Returns the least share of large calls that recovers this much of the gap."""
    gain = np.cumsum((large - mini)[np.argsort(-score, kind="stable")])
    return round(float((np.argmax(gain >= recovered * gain[-1]) + 1) / gain.size), 4)


def few(corpus: Corpus, measured_rows: NDArray[np.bool_], settings: Settings, count: int, seed: int) -> Floats:
    """Returns float64[draws]: APGR on the rows that were not drawn, having learnt from ``count`` rows of MMLU alone."""
    found = []
    for draw in range(FEW_DRAWS):
        order = np.random.default_rng((seed, draw)).permutation(np.unique(corpus.groups[measured_rows]))
        chosen: NDArray[np.bool_] = np.zeros(measured_rows.size, dtype=np.bool_)
        in_order = np.argsort(order)[np.searchsorted(np.sort(order), corpus.groups[measured_rows])]
        chosen[np.flatnonzero(measured_rows)[np.argsort(in_order, kind="stable")[:count]]] = True
        unseen = measured_rows & ~np.isin(corpus.groups, corpus.groups[chosen])
        blend = fit_blend(corpus, chosen, settings, seed + draw)
        logits = blend.logits(corpus.matrix, corpus.inputs())[corpus.text_of]
        p = 1.0 / (1.0 + np.exp(-logits))
        score = (1.0 - p[:, OK]) * p[:, LARGE_IF_BAD] - p[:, OK] * (1.0 - p[:, LARGE_IF_OK])
        found.append(apgr(corpus.mini[unseen], corpus.large[unseen], score[unseen], bins=10))
    return np.array(found)


def run(rows: tuple[Outcome, ...], contaminated: frozenset[str], count: int, seed: int) -> dict[str, Any]:
    texts = list(dict.fromkeys(row.prompt for row in rows))
    extractor = FeatureExtractor(FeatureSettings())
    ngrams, dense = extract(extractor, texts)
    table = Table.of(rows, PAIR, texts, ngrams, dense)
    corpus = table.read_by(Reading.fit(ngrams, dense, seed))
    crossed = cross_fit(corpus, AUXILIARY_WEIGHTS, seed, lambda _: None)
    score = worth(crossed.logits, corpus, corpus.is_own)
    clean = np.array([row.prompt not in contaminated for row in rows]) & corpus.is_own
    results: dict[str, Any] = {"settings": vars_of(crossed.chosen), "target": TARGETS}
    for name, source in SOURCES.items():
        part = clean & (corpus.sources == source)
        results[name] = measured(corpus, score, part, seed)
    mmlu = clean & (corpus.sources == SOURCES["MMLU"])
    draws = few(corpus, mmlu, crossed.chosen, count, seed)
    results["few"] = {
        "labels": count,
        "draws": FEW_DRAWS,
        "apgr_deciles": {"mean": round(float(draws.mean()), 4), "std": round(float(draws.std()), 4)},
    }
    return results


def vars_of(settings: Settings) -> dict[str, float]:
    return {"inverse_penalty": settings.inverse_penalty, "auxiliary_weight": settings.auxiliary_weight}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--outcomes", type=Path, required=True)
    parser.add_argument("--few", type=int, default=1500, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = read_outcomes(arguments.outcomes).rows
    flagged = read_rows(arguments.outcomes, ("prompt", "flags"))
    contaminated = frozenset(row["prompt"] for row in flagged if CONTAMINATED in str(row.get("flags") or ""))
    with threadpool_limits(limits=1):
        results = run(rows, contaminated, arguments.few, arguments.seed)
    if arguments.json:
        print(json.dumps(results))
        return
    for name in SOURCES:
        item = results[name]
        print(
            f"{name}: {item['rows']:,} rows, APGR {form(item['apgr_deciles'])} (to beat {TARGETS[name]:.3f}), over all "
            f"rows {form(item['apgr_trapezoid'])}, CPT(50) {item['cpt50']:.3f}, CPT(80) {item['cpt80']:.3f}"
        )
    few_labels = results["few"]
    print(
        f"MMLU, {few_labels['labels']:,} labels: APGR {few_labels['apgr_deciles']['mean']:.3f}, standard deviation "
        f"{few_labels['apgr_deciles']['std']:.3f} over {FEW_DRAWS} draws (to beat {TARGETS['few']:.3f})"
    )


def form(item: dict[str, float]) -> str:
    return f"{item['value']:.3f} [{item['lo']:.3f}, {item['hi']:.3f}]"


if __name__ == "__main__":
    main()
