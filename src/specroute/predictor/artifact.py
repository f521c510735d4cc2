"""Describes a trained model on disk and proves, before it scores anything, that it is the one that was trained.

A folder holds ``model.onnx``, ``calibration.json``, ``manifest.json``, the model card, out-of-fold scores and, where
they were made, ``intents.onnx`` and ``verifier.onnx``. The manifest carries the SHA-256 of each file that a score
depends on, because a flipped byte in the weights loads and answers confidently, and golden vectors, because a right
file under a wrong feature extractor does too. Its version is a hash of all that scores depend on, so that model,
calibration, verifier and whatever was certified with them are known to belong together.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from specroute.predictor.intents.manifest import INTENTS_FILE, IntentsManifest
from specroute.predictor.text.features import FEATURES_VERSION, FeatureSettings
from specroute.predictor.text.surface import SURFACE_NAMES
from specroute.predictor.verifier.manifest import VERIFIER_FILE

if TYPE_CHECKING:
    from pathlib import Path

FORMAT_VERSION = 2
MANIFEST_FILE = "manifest.json"
MODEL_FILE = "model.onnx"
CALIBRATION_FILE = "calibration.json"
OUT_OF_FOLD_FILE = "out_of_fold.npy"
CARD_FILE = "README.md"
GOLDEN_TOLERANCE = 1e-5
"""The most by which a score may differ from its golden vector, and the exported model from the trained one."""

_RETRAIN = "restore the folder as it was written, or write it anew with `specroute train`"

_Ratio = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
_Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class ModelArtifactError(ValueError):
    """A model folder that must not be served; the message is one line: the file, what is wrong, and the mend."""

    def __init__(self, path: Path, problem: str, mend: str = _RETRAIN) -> None:
        super().__init__(f"{path}: {problem}; {mend}")
        self.path = path


class FeatureManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of ``FeatureSettings`` and the version and names of what is extracted under them."""

    version: int
    head_chars: int
    tail_chars: int
    hash_bits: int
    max_ngram: int
    dense: tuple[str, ...]

    def settings(self) -> FeatureSettings:
        """Returns the extractor's settings.

        Raises:
            ValueError: a value is out of its range.
        """
        return FeatureSettings(self.head_chars, self.tail_chars, self.hash_bits, self.max_ngram)


class DataManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was learnt from: ``sha256`` is over the used columns of the used rows in canonical order."""

    sha256: _Sha256
    columns: tuple[str, ...]
    rows: int
    auxiliary_rows: int


class GoldenVector(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text and what the model said of it when it was written: probability, interval and novelty."""

    text: str
    p_accept: _Ratio
    p_low: _Ratio
    p_high: _Ratio
    novelty: _Ratio


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``manifest.json``.

    Attributes:
        format_version: of this structure.
        name: the kind of model.
        version: ``name`` and 12 hex digits of the hash of all that scores depend on: equal versions score equally.
        tiers: cheapest first; the score is of the first, the last is taken as acceptable.
        pair: the two models whose recorded answers were learnt from, ``mini|large``.
        files: SHA-256 of every file that a score depends on.
        training: seed, chosen settings and versions of the libraries.
        parity_max_abs_error: the largest difference between exported and trained probabilities.
        metrics: what was measured, and on what.
        golden: texts and scores, checked at load.
        intents: the description of ``intents.onnx``; ``None``: there is none.
        verifier: the description of ``verifier.onnx``, which its own loader reads; ``None``: there is none.
    """

    format_version: int
    name: str
    version: str
    tiers: Annotated[tuple[str, ...], msgspec.Meta(min_length=2)]
    pair: str
    features: FeatureManifest
    files: dict[str, _Sha256]
    data: DataManifest
    training: dict[str, Any]  # the border of JSON: read by people and reports, never by the service
    parity_max_abs_error: float
    metrics: dict[str, Any]  # as above
    golden: Annotated[tuple[GoldenVector, ...], msgspec.Meta(min_length=1)]
    intents: IntentsManifest | None = None
    verifier: dict[str, Any] | None = None  # as above

    def expected_version(self) -> str:
        """Returns what ``version`` is if every part is the one that was written."""
        return content_version(self.name, self.scoring_parts())

    def scoring_parts(self) -> dict[str, Any]:
        """Returns as plain values all that a score depends on."""
        names = ("format_version", "tiers", "pair", "features", "files", "intents", "verifier")
        parts: dict[str, Any] = msgspec.to_builtins({name: getattr(self, name) for name in names})
        return parts


def content_version(name: str, parts: dict[str, Any]) -> str:
    """Returns the version of a model made of ``parts``, ``Manifest.scoring_parts``."""
    content = json.dumps(parts, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"{name}-{hashlib.sha256(content.encode('ascii')).hexdigest()[:12]}"


def read_manifest(folder: Path) -> Manifest:
    """Reads and checks ``manifest.json``, but no other file.

    Raises:
        ModelArtifactError: it is missing, is not what this version reads, or asks for other features.
    """
    path = folder / MANIFEST_FILE
    try:
        manifest = msgspec.json.decode(_read(path), type=Manifest)
    except msgspec.MsgspecError as error:
        raise ModelArtifactError(path, f"not a manifest: {error}") from error
    if manifest.format_version != FORMAT_VERSION:
        problem = f"format_version is {manifest.format_version}, this version of specroute reads {FORMAT_VERSION}"
        raise ModelArtifactError(path, problem)
    if manifest.features.version != FEATURES_VERSION or manifest.features.dense != SURFACE_NAMES:
        problem = (
            f"features.version is {manifest.features.version}, this version of specroute extracts {FEATURES_VERSION}"
        )
        raise ModelArtifactError(path, problem)
    if manifest.version != (expected := manifest.expected_version()):
        raise ModelArtifactError(path, f"version is {manifest.version!r}, but its parts are those of {expected!r}")
    for file, part in ((INTENTS_FILE, manifest.intents), (VERIFIER_FILE, manifest.verifier)):
        if (part is None) == (file in manifest.files):
            raise ModelArtifactError(path, f"its parts and its files disagree on whether there is a {file}")
    if missing := {MODEL_FILE, CALIBRATION_FILE} - manifest.files.keys():
        raise ModelArtifactError(path, f"files has no sha256 of {min(missing)}")
    try:
        manifest.features.settings()
    except ValueError as error:
        raise ModelArtifactError(path, f"features: {error}") from error
    return manifest


def read_verified(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """Reads every file of the manifest once and returns what was hashed, so that nothing can change in between.

    Raises:
        ModelArtifactError: a file is missing, cannot be read, or is not the one the manifest names.
    """
    contents: dict[str, bytes] = {}
    for name, expected in manifest.files.items():
        path = folder / name
        if path.parent != folder:
            raise ModelArtifactError(folder / MANIFEST_FILE, f"files names {name!r}, which is not in the folder")
        contents[name] = _read(path)
        actual = hashlib.sha256(contents[name]).hexdigest()
        if actual != expected:
            raise ModelArtifactError(path, f"sha256 is {actual[:12]}..., {MANIFEST_FILE} says {expected[:12]}...")
    return contents


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelArtifactError(path, "no such file") from error
    except OSError as error:
        raise ModelArtifactError(path, f"cannot be read ({error.strerror})", "check its owner and mode") from error
