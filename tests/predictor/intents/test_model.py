"""Inferring what a request seems to be, and naming it only where that is sure enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from specroute.core.plan import Guess
from specroute.learn.intents.export import export_heads
from specroute.learn.intents.reading import Head, Reading
from specroute.predictor.intents.grams import BUCKETS, gram_ids
from specroute.predictor.intents.model import NO_INTENTS, IntentModel, Intents, named
from specroute.predictor.session import ModelGraphError
from specroute.predictor.text.features import FeatureExtractor, FeatureSettings

if TYPE_CHECKING:
    from specroute.predictor.intents.manifest import IntentsManifest

RISKS, RISK_CUTS = ("low", "medium", "high"), (0.6, 0.6, 0.25)
EXTRACTOR = FeatureExtractor(FeatureSettings())
TEXTS = ("translate this", "solve this", "übersetze das", "")


def exported() -> tuple[bytes, IntentsManifest]:
    """A model that knows one word: what holds ``translate`` is a translation."""
    columns = gram_ids(EXTRACTOR.extract("translate").tokens)
    weights = np.zeros((BUCKETS, 2))
    weights[columns, 0] = 2.0
    weights[columns, 1] = -2.0
    head = Head.of("task_type", ("translation", "math"), (0.8, 0.8), np.arange(BUCKETS), weights, np.zeros(2))
    return export_heads(Reading.of(EXTRACTOR, TEXTS), [head], TEXTS)


def infer(text: str) -> Intents:
    return IntentModel(*exported(), EXTRACTOR).infer(EXTRACTOR.extract(text).tokens)


def test_the_graph_infers_as_the_heads_that_were_trained() -> None:
    _, manifest = exported()

    assert infer("Translate: good morning").task_type.value == "translation"
    assert manifest.parity_max_abs_error <= 1e-5


def test_what_is_not_sure_enough_and_what_no_head_says_is_left_open() -> None:
    unsure = infer("hello there")

    assert unsure.task_type.value == ""
    assert 0.5 <= unsure.task_type.confidence < 0.8
    assert (unsure.risk, unsure.risk_domain) == (NO_INTENTS.risk, NO_INTENTS.risk_domain)


def test_an_empty_text_is_inferred_too() -> None:
    assert infer("").task_type.value == ""


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"grams_version": 99}, "reads texts by version 99"),
        ({"heads": ()}, "does not hold the heads"),
    ],
)
def test_a_graph_that_is_not_the_manifests_is_refused(change: dict[str, object], problem: str) -> None:
    graph, manifest = exported()

    with pytest.raises(ModelGraphError, match=problem):
        IntentModel(graph, msgspec.structs.replace(manifest, **change), EXTRACTOR)


def test_a_graph_that_infers_otherwise_than_it_did_is_refused() -> None:
    graph, manifest = exported()
    golden = msgspec.structs.replace(manifest.golden[0], p=(0.123, 0.877))

    with pytest.raises(ModelGraphError, match="golden text"):
        IntentModel(graph, msgspec.structs.replace(manifest, golden=(golden,)), EXTRACTOR)


def test_bytes_that_are_no_graph_are_refused() -> None:
    with pytest.raises(ModelGraphError, match="not a graph"):
        IntentModel(b"nonsense", exported()[1], EXTRACTOR)


def test_the_likeliest_class_is_named_from_its_cut_on() -> None:
    assert named("task_type", ("chat", "math"), (0.6, 0.6), [0.6, 0.4]) == Guess("chat", 0.6)
    assert named("task_type", ("chat", "math"), (0.7, 0.2), [0.6, 0.4]) == Guess("", 0.6)


def test_high_risk_is_named_even_where_another_is_likelier() -> None:
    assert named("risk", RISKS, RISK_CUTS, [0.7, 0.0, 0.3]) == Guess("high", 0.3)
    assert named("risk", RISKS, RISK_CUTS, [0.7, 0.1, 0.2]) == Guess("low", 0.7)


def test_a_class_without_a_word_names_nothing() -> None:
    assert named("risk_domain", ("", "law"), (0.0, 0.5), [0.9, 0.1]) == Guess("", 0.9)
