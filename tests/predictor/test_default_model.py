"""The model that the repository ships: it loads, fits its card, and tells texts of every script apart."""

import os
from pathlib import Path

import pytest

from specroute.predictor.artifact import read_manifest
from specroute.predictor.predictor import OnnxPredictor

FOLDER = Path(__file__).parents[2] / "router_models" / "default"
LEAST_AUROC = 0.70

_PER_SCRIPT = {
    "chinese": ("水的沸点是多少?", "请证明素数有无穷多个,并指出证明中用到的每一个假设。"),
    "arabic": ("ما هي عاصمة مصر؟", "برهن أن عدد الأعداد الأولية غير منته واذكر كل افتراض تستخدمه."),
    "hindi": ("भारत की राजधानी क्या है?", "सिद्ध कीजिए कि अभाज्य संख्याएँ अनंत हैं और हर मान्यता बताइए।"),
    "russian": ("Столица Франции?", "Докажите, что простых чисел бесконечно много, и назовите каждое допущение."),
    "thai": ("เมืองหลวงของไทยคืออะไร", "จงพิสูจน์ว่าจำนวนเฉพาะมีไม่จำกัด และระบุข้อสมมติทุกข้อ"),
}


@pytest.fixture(scope="module")
def predictor() -> OnnxPredictor:
    return OnnxPredictor.load(FOLDER)


def test_it_loads_and_its_golden_vectors_hold(predictor: OnnxPredictor) -> None:
    manifest = read_manifest(FOLDER)

    assert predictor.version == manifest.version
    assert manifest.tiers == ("mini", "large")
    assert manifest.parity_max_abs_error <= 1e-5
    assert len(manifest.golden) >= 10
    assert len({round(golden.p_accept, 4) for golden in manifest.golden}) == len(manifest.golden)


def test_its_card_names_its_version_and_it_is_small() -> None:
    assert read_manifest(FOLDER).version in (FOLDER / "README.md").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 5_000_000


def test_it_beats_the_mean_per_source_and_the_length_on_its_test_file() -> None:
    gains = read_manifest(FOLDER).metrics["test"]["gain_over"]

    for baseline in ("source_mean", "length"):
        assert gains[baseline]["auroc"]["lo"] > 0.0
        assert gains[baseline]["log_loss"]["hi"] < 0.0


@pytest.mark.parametrize("script", _PER_SCRIPT)
def test_texts_of_one_script_do_not_share_a_score(predictor: OnnxPredictor, script: str) -> None:
    short, long = (predictor.score(text) for text in _PER_SCRIPT[script])

    assert abs(short - long) > 0.01


def test_scripts_do_not_share_a_score(predictor: OnnxPredictor) -> None:
    scores = [predictor.score(texts[0]) for texts in _PER_SCRIPT.values()]

    assert len({round(score, 4) for score in scores}) == len(scores)


def test_it_ranks_recorded_outcomes(predictor: OnnxPredictor) -> None:
    path = os.environ.get("SPECROUTE_OUTCOMES")
    if not path:
        pytest.skip("set SPECROUTE_OUTCOMES to a file of recorded outcomes")
    from specroute.learn.dataset import read_outcomes
    from specroute.learn.metrics import auroc

    outcomes = read_outcomes(Path(path))
    pair = read_manifest(FOLDER).pair
    own = [index for index, row in enumerate(outcomes.rows) if row.pair == pair]
    import numpy as np

    p = np.array([predictor.score(outcomes.rows[index].prompt) for index in own])

    assert auroc(outcomes.labels()[own], p) > LEAST_AUROC
