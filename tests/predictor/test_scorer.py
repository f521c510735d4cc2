"""Scoring with a folder's graphs: what is remembered, what is shared."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.predictor.artifact import ModelArtifactError, read_manifest
from specroute.predictor.onnx_model import OnnxModel
from specroute.predictor.recent import RecentLogits, mark_of
from specroute.predictor.scorer import RECENT, Scorer, load_scorer
from specroute.predictor.text.features import FeatureExtractor, FeatureSettings
from tests.predictor.graphs import constant, summing, write_folder

if TYPE_CHECKING:
    from pathlib import Path

    from specroute.predictor.onnx_model import Scores
    from specroute.predictor.text.features import Features

SETTINGS = FeatureSettings(head_chars=40, tail_chars=10)
EXTRACTOR = FeatureExtractor(SETTINGS)
MODEL = OnnxModel(summing())


class CountingModel(OnnxModel):
    """Counts how often it is run."""

    def __init__(self, model: bytes) -> None:
        super().__init__(model)
        self.runs = 0

    def run(self, features: Features) -> Scores:
        self.runs += 1
        return super().run(features)


def _scorer() -> tuple[Scorer, CountingModel]:
    model = CountingModel(summing())
    return Scorer(model, EXTRACTOR), model


def _anew(text: str) -> float:
    return MODEL.run(EXTRACTOR.extract(text)).logit


def test_the_log_odds_of_a_text_scored_before_are_not_computed_again() -> None:
    scorer, model = _scorer()

    scored = scorer.score_full("is it so?").scores

    assert scorer.logit("is it so?") == scored.logit
    assert model.runs == 1


def test_the_log_odds_of_a_new_text_are_computed_once() -> None:
    scorer, model = _scorer()

    assert scorer.logit("is it so?") == scorer.logit("is it so?") == _anew("is it so?")
    assert model.runs == 1


def test_a_text_is_scored_anew_each_time_a_score_is_asked_for() -> None:
    scorer, model = _scorer()

    assert scorer.score("again") == scorer.score("again")
    assert model.runs == 2


@given(st.lists(st.text(st.sampled_from("ab 1?\ud800水"), max_size=70), max_size=12))
def test_two_texts_never_get_each_others_log_odds(texts: list[str]) -> None:
    scorer = Scorer(MODEL, EXTRACTOR)
    for text in texts:
        scorer.score_full(text)

    assert [scorer.logit(text) for text in texts] == [_anew(text) for text in texts]


def test_texts_that_differ_in_their_unread_middle_alone_are_told_apart_by_their_length() -> None:
    scorer, model = _scorer()
    head, tail = "h" * SETTINGS.head_chars, "t" * SETTINGS.tail_chars

    scorer.logit(f"{head}one{tail}")
    scorer.logit(f"{head}three{tail}")

    assert model.runs == 2


def test_no_more_is_kept_than_there_is_room_for_and_the_oldest_goes_first() -> None:
    recent = RecentLogits(3)

    for number in range(10):
        recent.keep(mark_of(str(number), 1), float(number))

    assert len(recent) == 3
    assert [recent.get(mark_of(str(number), 1)) for number in range(10)] == [None] * 7 + [7.0, 8.0, 9.0]


def test_what_is_kept_holds_no_text() -> None:
    assert all(isinstance(part, int) for part in mark_of("a secret", 8))


def test_many_threads_at_once_each_get_their_own_texts_log_odds() -> None:
    scorer = Scorer(MODEL, EXTRACTOR)
    texts = [f"text {number}{'?' * (number % 7)}" for number in range(2 * RECENT)]

    def planned_then_judged(text: str) -> float:
        scorer.score_full(text)
        return scorer.logit(text)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(planned_then_judged, texts)) == [_anew(text) for text in texts]


def test_one_folder_is_opened_once_while_it_is_in_use(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "one", constant())

    one, other = (load_scorer(folder, read_manifest(folder)) for _ in range(2))

    assert one is other


def test_another_models_folder_is_another_scorer(tmp_path: Path) -> None:
    one = write_folder(tmp_path / "one", constant())
    other = write_folder(tmp_path / "other", constant(), tiers=["small", "big"])

    assert load_scorer(one, read_manifest(one)) is not load_scorer(other, read_manifest(other))


def test_a_changed_file_is_refused_even_while_its_folder_is_in_use(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, constant())
    scorer = load_scorer(folder, read_manifest(folder))
    (folder / "model.onnx").write_bytes(constant("nan"))

    with pytest.raises(ModelArtifactError, match="sha256 is"):
        load_scorer(folder, read_manifest(folder))
    assert scorer.score("still").p_accept == 0.25


def test_golden_vectors_are_checked_even_while_the_same_graph_is_in_use(tmp_path: Path) -> None:
    right = write_folder(tmp_path / "right", constant())
    golden = [{"text": "hello", "p_accept": 0.5, "p_low": 0.125, "p_high": 0.5, "novelty": 0.75}]
    wrong = write_folder(tmp_path / "wrong", constant(), golden=golden)
    scorer = load_scorer(right, read_manifest(right))

    with pytest.raises(ModelArtifactError, match="golden vector 0"):
        load_scorer(wrong, read_manifest(wrong))
    assert load_scorer(right, read_manifest(right)) is scorer
