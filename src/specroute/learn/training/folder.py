"""Writes a model folder: graph, calibration, manifest and model card, proven to load before they are put in place."""

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
from specroute.learn.training.golden import GOLDEN_TEXTS
from specroute.learn.training.model_card import model_card
from specroute.learn.training.train import FOLDS
from specroute.predictor.artifact import (
    CALIBRATION_FILE,
    CARD_FILE,
    FORMAT_VERSION,
    MANIFEST_FILE,
    MODEL_FILE,
    DataManifest,
    FeatureManifest,
    GoldenVector,
    Manifest,
)
from specroute.predictor.features import FEATURES_VERSION
from specroute.predictor.predictor import OnnxPredictor
from specroute.predictor.surface import SURFACE_NAMES

if TYPE_CHECKING:
    from specroute.learn.dataset import Outcomes
    from specroute.learn.training.compare import Comparison
    from specroute.learn.training.train import Trained, TrainOptions

MODEL_NAME = "hashed-ngrams"
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
    folder that was written by half does not load.

    Raises:
        ModelArtifactError: the files that were written do not load; nothing in ``out`` was changed.
        OSError: ``out`` cannot be written.
    """
    calibration = _json(_calibration(run.trained))
    files = {MODEL_FILE: run.trained.onnx, CALIBRATION_FILE: calibration}
    manifest = _manifest(run, files)
    files[CARD_FILE] = model_card(manifest, run.outcomes).encode()
    files[MANIFEST_FILE] = _json(msgspec.to_builtins(manifest))
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".writing-") as name:
        staged = Path(name)
        for file, content in files.items():
            (staged / file).write_bytes(content)
        OnnxPredictor.load(staged)
        for file in files:
            os.replace(staged / file, out / file)
    return manifest


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _calibration(trained: Trained) -> dict[str, Any]:
    platt = trained.fitted.platt
    labels, scores = trained.calibration_labels, trained.calibration_scores
    before, after = 1.0 / (1.0 + np.exp(-scores)), platt.p(scores)
    return {
        "method": "platt",
        "slope": platt.slope,
        "intercept": platt.intercept,
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
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    content = hashlib.sha256(_json([msgspec.to_builtins(features), hashes, TIERS])).hexdigest()
    golden = zip(GOLDEN_TEXTS, trained.p(GOLDEN_TEXTS).tolist(), strict=True)
    return Manifest(
        format_version=FORMAT_VERSION,
        name=MODEL_NAME,
        version=f"{MODEL_NAME}-{content[:12]}",
        tiers=TIERS,
        pair=run.options.pair,
        features=features,
        files=hashes,
        data=_data(run),
        training=_training(run),
        parity_max_abs_error=float(f"{trained.parity_max_abs_error:.1e}"),
        metrics={
            "cross_validation": _cross_validation(trained),
            "test": run.comparison.to_json() if run.comparison else None,
        },
        golden=tuple(GoldenVector(text, round(p, 7)) for text, p in golden),
    )


def _data(run: Run) -> DataManifest:
    return DataManifest(
        sha256=run.outcomes.sha256(),
        columns=HASHED_COLUMNS,
        rows=run.trained.rows,
        auxiliary_rows=run.trained.auxiliary_rows,
        calibration_rows=run.trained.calibration_labels.size,
    )


def _training(run: Run) -> dict[str, Any]:
    chosen = run.trained.chosen
    return {
        "seed": run.options.seed,
        "auxiliary_allowed": run.options.use_auxiliary,
        "inverse_penalty": chosen.inverse_penalty,
        "auxiliary_weight": chosen.auxiliary_weight,
        "dropped_rows": run.outcomes.dropped,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def _cross_validation(trained: Trained) -> dict[str, Any]:
    return {
        "folds": FOLDS,
        "candidates": [
            {
                "inverse_penalty": score.candidate.inverse_penalty,
                "auxiliary_weight": score.candidate.auxiliary_weight,
                "log_loss": round(score.log_loss, 6),
            }
            for score in trained.scores
        ],
    }
