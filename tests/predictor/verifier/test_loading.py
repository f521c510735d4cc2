"""Loading the verifier of a model folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from specroute.predictor.artifact import MANIFEST_FILE, ModelArtifactError
from specroute.predictor.verifier.leeway import Cut
from specroute.predictor.verifier.loading import load_verifier, load_verifier_model
from specroute.predictor.verifier.manifest import VERIFIER_FILE

DEFAULT = Path(__file__).parents[3] / "router_models" / "default"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT, tmp_path / "model"))


def test_the_cut_is_the_models_own_unless_another_is_given() -> None:
    model = load_verifier_model(DEFAULT)

    assert model is not None
    assert load_verifier(DEFAULT, Cut()).min_p == model.manifest.min_p
    assert load_verifier(DEFAULT, Cut(0.75)).min_p == 0.75


def test_a_verifier_of_another_training_is_refused(folder: Path) -> None:
    graph = (folder / VERIFIER_FILE).read_bytes()
    (folder / VERIFIER_FILE).write_bytes(graph[:-1] + bytes([graph[-1] ^ 1]))

    with pytest.raises(ModelArtifactError, match=r"verifier\.onnx: sha256 is"):
        load_verifier(folder, Cut())


def test_a_changed_description_of_it_is_refused_because_the_version_no_longer_fits(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
    manifest["verifier"]["min_p"] = 0.01
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest), "utf-8")

    with pytest.raises(ModelArtifactError, match="version"):
        load_verifier(folder, Cut())
