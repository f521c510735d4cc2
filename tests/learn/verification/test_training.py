"""Training a verifier on made-up answers: it learns, calibrates, exports to the bit, and knows what it has not seen."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from specroute.learn.metrics import auroc
from specroute.learn.verification import train as training
from specroute.learn.verification.parts.forest import Settings
from specroute.learn.verification.train import TrainedVerifier, train_verifier
from specroute.predictor.verifier.evidence import Evidence
from specroute.predictor.verifier.manifest import VerifierManifest
from specroute.predictor.verifier.model import VerifierModel
from tests.learn.verification.answers import OTHER_PAIR, PAIR, folds_of, rows

_ROWS = (*rows(confident=260), *rows(80, pair=OTHER_PAIR))


def _train(monkeypatch: pytest.MonkeyPatch) -> TrainedVerifier:
    few = tuple(Settings(trees=40, rate=0.2, auxiliary_weight=weight) for weight in (0.0, 1.0))
    monkeypatch.setattr(training, "CANDIDATES", few)
    found = train_verifier(_ROWS, np.zeros(len(_ROWS)), PAIR, 0, folds_of(_ROWS), lambda _: None)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def trained() -> TrainedVerifier:
    with pytest.MonkeyPatch.context() as patch:
        return _train(patch)


def test_out_of_fold_chances_tell_right_answers_from_wrong_ones(trained: TrainedVerifier) -> None:
    labels = np.array([float(row.mini_correct) for row in _ROWS])
    judged = ~np.isnan(trained.out_of_fold_p)
    p = trained.out_of_fold_p[judged]

    assert auroc(labels[judged], p) > 0.8
    assert abs(float((p - labels[judged]).mean())) < 0.05


def test_rows_of_other_pairs_have_no_chance_and_few_of_the_own_are_without(trained: TrainedVerifier) -> None:
    own = np.array([row.pair == PAIR for row in _ROWS])

    assert np.isnan(trained.out_of_fold_p[~own]).all()
    assert np.isnan(trained.out_of_fold_p[own]).mean() < 0.05


def test_the_exported_graph_gives_what_the_framework_gives(trained: TrainedVerifier) -> None:
    assert trained.parity_max_abs_error <= 1e-5
    assert trained.manifest.parity_max_abs_error == trained.parity_max_abs_error


def test_a_loaded_model_scores_right_above_wrong_and_rises_with_the_prior(trained: TrainedVerifier) -> None:
    model = VerifierModel(trained.onnx, trained.manifest)
    prompt = '7 bags hold 8 pens each. How many? Reply in JSON: "answer": "42".'
    answer = '{{"reasoning": "There are 7 * 8 = 56 in all.", "answer": "{}"}}'
    right, wrong = (model.assess(Evidence(prompt, answer.format(value)), 0.0).p for value in (56, 61))
    likelier = model.assess(Evidence(prompt, answer.format(61)), 3.0).p

    assert right is not None
    assert wrong is not None
    assert likelier is not None
    assert right > 0.8 > 0.5 > wrong
    assert likelier > wrong


def test_stated_confidence_is_learnt_as_a_kind_of_its_own(trained: TrainedVerifier) -> None:
    model = VerifierModel(trained.onnx, trained.manifest)
    sure, unsure = (model.assess(Evidence("Pick.", None, -0.105, stated, 90), 0.0).p for stated in (0.95, 0.5))

    assert "confidence" in trained.manifest.kinds
    assert (sure or 0.0) > (unsure or 1.0)


def test_a_prompt_unlike_any_that_was_learnt_from_is_unfamiliar(trained: TrainedVerifier) -> None:
    model = VerifierModel(trained.onnx, trained.manifest)
    prompt = "def f(x):\n    for i in range(9):\n        x = [x, i]\n    return x\n" * 6 + "What does f(1) return?"

    assert model.assess(Evidence(prompt, "The answer is [[1], 2]"), 0.0).reason == "unfamiliar"


def test_the_manifest_tells_what_was_learnt_and_measured(trained: TrainedVerifier) -> None:
    manifest = trained.manifest
    point = manifest.operating_points["result"]

    assert manifest.rows == 580
    assert (point.sensitivity or 0.0) > 0.5
    assert set(trained.metrics["by_source"]) == {"pooled", "sums", "products", "letters"}
    assert len(trained.tried) == 2
    assert msgspec.json.decode(msgspec.json.encode(manifest), type=VerifierManifest) == manifest


def test_equal_rows_and_seed_give_equal_bytes(trained: TrainedVerifier, monkeypatch: pytest.MonkeyPatch) -> None:
    again = _train(monkeypatch)

    assert again.onnx == trained.onnx
    assert msgspec.json.encode(again.manifest) == msgspec.json.encode(trained.manifest)
    np.testing.assert_array_equal(again.out_of_fold_p, trained.out_of_fold_p)


def test_a_kind_with_too_few_answers_in_each_fold_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CANDIDATES", (Settings(trees=20, rate=0.2, auxiliary_weight=0.0),))
    made = rows(confident=120)
    found = train_verifier(made, np.zeros(len(made)), PAIR, 0, folds_of(made), lambda _: None)

    assert found is not None
    assert found.manifest.kinds == ("result",)
    assert np.isnan(found.out_of_fold_p[320:]).all()


def test_traffic_without_answers_gives_no_verifier() -> None:
    bare = tuple(replace(row, mini_response=None, large_response=None) for row in rows(320))

    assert train_verifier(bare, np.zeros(320), PAIR, 0, folds_of(bare), lambda _: None) is None


def test_too_few_answers_or_answers_of_one_label_give_no_verifier() -> None:
    few = rows(200)

    assert train_verifier(few, np.zeros(200), PAIR, 0, folds_of(few), lambda _: None) is None
