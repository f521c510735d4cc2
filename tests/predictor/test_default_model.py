"""The model that the repository ships: it loads, fits its card, and tells texts of every script apart."""

import os
from pathlib import Path

import pytest

from specroute.predictor.artifact import read_manifest
from specroute.predictor.predictor import OnnxPredictor

FOLDER = Path(__file__).parents[2] / "router_models" / "default"
LEAST_AUROC = 0.71

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
    assert len({round(golden.p_accept, 6) for golden in manifest.golden}) == len(manifest.golden)


def test_its_card_names_its_version_and_it_is_small() -> None:
    assert read_manifest(FOLDER).version in (FOLDER / "README.md").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 25_000_000


def test_it_beats_what_needs_no_model_on_its_test_file() -> None:
    gains = read_manifest(FOLDER).metrics["test"]["gain_over"]

    for baseline in ("source_mean", "subject_mean", "length", "shuffle"):
        for source in ("pooled", "mmlu_pro_conf"):
            assert gains[baseline][source]["auroc"]["lo"] > 0.0
            assert gains[baseline][source]["log_loss"]["hi"] < 0.0


def test_on_no_source_is_it_worse_than_the_sources_mean() -> None:
    gains = read_manifest(FOLDER).metrics["test"]["gain_over"]["source_mean"]

    for figures in gains.values():
        assert figures["auroc"]["value"] is None or figures["auroc"]["value"] > -0.02
        assert figures["log_loss"]["value"] < 0.02


@pytest.mark.parametrize("script", _PER_SCRIPT)
def test_texts_of_one_script_do_not_share_a_score(predictor: OnnxPredictor, script: str) -> None:
    short, long = (predictor.score(text) for text in _PER_SCRIPT[script])

    assert abs(short - long) > 0.01


def test_scripts_do_not_share_a_score(predictor: OnnxPredictor) -> None:
    scores = [predictor.score(texts[0]) for texts in _PER_SCRIPT.values()]

    assert len({round(score, 4) for score in scores}) == len(scores)


_UNLIKE = (
    "Write a short poem about autumn leaves falling in a quiet village.",
    "I feel a little lonely today and would like to chat about my week.",
    "Draft a kind letter to my neighbour about the noise on Sunday mornings.",
    *(text for texts in _PER_SCRIPT.values() for text in texts),
)


@pytest.mark.parametrize("text", _UNLIKE)
def test_writing_chat_and_other_languages_are_novel_and_uncertain(predictor: OnnxPredictor, text: str) -> None:
    scores, _ = predictor.score_full(text)

    assert scores.novelty > 0.9
    assert scores.p_low < 0.85
    assert scores.p_high - scores.p_low > 0.25


def test_what_was_left_out_of_training_was_found_novel_and_its_interval_wider() -> None:
    for item in read_manifest(FOLDER).metrics["left_out"]:
        assert item["median_novelty"] > 0.9 > item["median_novelty_seen"]
        assert item["median_width"] > item["median_width_seen"]


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
