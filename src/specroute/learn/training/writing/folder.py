"""Writes a model folder, proven to load before it is put in place: graphs, calibration, scores, manifest, card."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from specroute.learn.dataset import HASHED_COLUMNS
from specroute.learn.metrics import expected_calibration_error, log_loss
from specroute.learn.training.calibration import reliability
from specroute.learn.training.doubt.interval import sigmoid
from specroute.learn.training.measuring.summary import summary
from specroute.learn.training.models.blend import OK
from specroute.learn.training.out_of_fold import OutOfFold, OutOfFoldScore
from specroute.learn.training.writing.golden import GOLDEN_TEXTS
from specroute.learn.training.writing.model_card import model_card
from specroute.predictor.artifact import (
    CALIBRATION_FILE,
    CARD_FILE,
    FORMAT_VERSION,
    MANIFEST_FILE,
    MODEL_FILE,
    OUT_OF_FOLD_FILE,
    DataManifest,
    FeatureManifest,
    GoldenVector,
    Manifest,
)
from specroute.predictor.intents.manifest import INTENTS_FILE
from specroute.predictor.predictor import OnnxPredictor
from specroute.predictor.text.features import FEATURES_VERSION
from specroute.predictor.text.surface import SURFACE_NAMES
from specroute.predictor.verifier.manifest import VERIFIER_FILE

if TYPE_CHECKING:
    from specroute.learn.dataset import Outcomes
    from specroute.learn.training.measuring.compare import Comparison
    from specroute.learn.training.options import TrainOptions
    from specroute.learn.training.train import Trained

MODEL_NAME = "words-and-network"
TIERS = ("mini", "large")

_LIBRARIES = ("numpy", "onnx", "scikit-learn", "scipy")


@dataclass(frozen=True, slots=True)
class Run:
    """All that one training run gave: what a folder is written from. ``comparison`` is ``None`` without a test file."""

    outcomes: Outcomes
    options: TrainOptions
    trained: Trained
    comparison: Comparison | None


def write_folder(run: Run, out: Path) -> Manifest:
    """Writes the model folder ``out`` and returns its manifest.

    The files are written beside their places, loaded and checked as the service does, and moved, the manifest last: a
    folder that was written by half does not load. A part of an earlier run that this one lacks is removed.

    Raises:
        ModelArtifactError: the files that were written do not load; nothing in ``out`` was changed.
        OSError: ``out`` cannot be written.
    """
    trained = run.trained
    files = {
        MODEL_FILE: trained.onnx,
        CALIBRATION_FILE: _json(_calibration(trained)),
        OUT_OF_FOLD_FILE: out_of_fold(trained).write(),
    }
    if trained.intents is not None:
        files[INTENTS_FILE] = trained.intents.onnx
    if trained.verifier is not None:
        files[VERIFIER_FILE] = trained.verifier.onnx
    manifest = _manifest(run, files)
    files[CARD_FILE] = model_card(manifest, run.outcomes).encode()
    files[MANIFEST_FILE] = _json(msgspec.to_builtins(manifest))
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".writing-") as name:
        staged = Path(name)
        for file, content in files.items():
            (staged / file).write_bytes(content)
        OnnxPredictor.load(staged)
        for file in {INTENTS_FILE, VERIFIER_FILE} - files.keys():
            (out / file).unlink(missing_ok=True)
        for file in files:
            os.replace(staged / file, out / file)
    return manifest


def out_of_fold(trained: Trained) -> OutOfFold:
    """Returns the scores of the rows that were learnt from, by models that did not see their groups."""
    rows, own = trained.own_rows, trained.own
    columns = (own.p, own.p_low, own.p_high, own.p_large_if_bad, own.p_large_if_ok, own.verifier_p)
    scores = [OutOfFoldScore(*values) for values in np.stack(columns, axis=1).tolist()]
    return OutOfFold.of([row.pair for row in rows], [row.prompt for row in rows], scores)


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _calibration(trained: Trained) -> dict[str, Any]:
    table, widths = trained.table, trained.folded.widths
    is_own = table.pairs == 0
    labels, before, after = table.mini[is_own], sigmoid(trained.crossed.logits[is_own, OK]), trained.own.p
    names = ("p_accept", "p_large_if_bad", "p_large_if_ok")
    return {
        "method": "platt",
        "questions": {
            name: {"slope": item.slope, "intercept": item.intercept}
            for name, item in zip(names, trained.platt, strict=True)
        },
        "interval": {"known_half_width": widths.known, "novel_half_width": widths.novel},
        "rows": labels.size,
        "log_loss": {"before": round(log_loss(labels, before), 6), "after": round(log_loss(labels, after), 6)},
        "ece": {
            "before": round(expected_calibration_error(labels, before), 6),
            "after": round(expected_calibration_error(labels, after), 6),
        },
        "reliability": reliability(labels, after),
    }


def _manifest(run: Run, files: dict[str, bytes]) -> Manifest:
    settings, trained = run.options.features, run.trained
    features = FeatureManifest(
        version=FEATURES_VERSION,
        head_chars=settings.head_chars,
        tail_chars=settings.tail_chars,
        hash_bits=settings.hash_bits,
        max_ngram=settings.max_ngram,
        dense=SURFACE_NAMES,
    )
    golden = zip(GOLDEN_TEXTS, trained.scores(GOLDEN_TEXTS), strict=True)
    draft = Manifest(
        format_version=FORMAT_VERSION,
        name=MODEL_NAME,
        version="",
        tiers=TIERS,
        pair=run.options.pair,
        features=features,
        files={name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
        data=DataManifest(
            sha256=run.outcomes.sha256(),
            columns=HASHED_COLUMNS,
            rows=len(trained.own_rows),
            auxiliary_rows=trained.auxiliary_rows,
        ),
        training=_training(run),
        parity_max_abs_error=float(f"{trained.parity_max_abs_error:.1e}"),
        metrics={**summary(trained), "test": run.comparison.to_json() if run.comparison else None},
        golden=tuple(
            GoldenVector(text, *(round(value, 7) for value in (it.p_accept, it.p_low, it.p_high, it.novelty)))
            for text, it in golden
        ),
        intents=None if trained.intents is None else trained.intents.manifest,
        verifier=None if trained.verifier is None else msgspec.to_builtins(trained.verifier.manifest),
    )
    return msgspec.structs.replace(draft, version=draft.expected_version())


def _training(run: Run) -> dict[str, Any]:
    chosen = run.trained.crossed.chosen
    return {
        "seed": run.options.seed,
        "auxiliary_allowed": run.options.use_auxiliary,
        "intents": run.options.use_intents,
        "verifier": run.options.use_verifier,
        "inverse_penalty": chosen.inverse_penalty,
        "auxiliary_weight": chosen.auxiliary_weight,
        "rank": int(run.trained.rank),
        "hidden": run.trained.folded.hidden,
        "rounding_max_abs_error": float(f"{run.trained.rounding_max_abs_error:.1e}"),
        "dropped_rows": run.outcomes.dropped,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
