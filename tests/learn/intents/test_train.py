"""Learning what a request seems to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from specroute.learn.dataset import Outcome
from specroute.learn.intents.labels import RISK_DOMAINS, RISKS, TASK_TYPES
from specroute.learn.intents.prompts import labelled_prompts
from specroute.learn.intents.train import CLASSES, STEPS, TrainedIntents, train_intents
from specroute.predictor.intents.model import IntentModel
from specroute.predictor.text.features import FeatureExtractor, FeatureSettings

if TYPE_CHECKING:
    from specroute.learn.intents.prompts import LabelledPrompt, Part

EACH = 12
EXTRACTOR = FeatureExtractor(FeatureSettings())


def some(part: Part) -> list[LabelledPrompt]:
    """A few short prompts of every task type and of every risk domain."""
    short = [prompt for prompt in labelled_prompts(part) if len(prompt.text) < 120]
    by_class = [
        [prompt for prompt in short if getattr(prompt, name) == value][:EACH]
        for name, values in (("task_type", TASK_TYPES), ("risk_domain", RISK_DOMAINS))
        for value in values
    ]
    return list(dict.fromkeys(prompt for prompts in by_class for prompt in prompts))


@pytest.fixture(scope="module")
def trained() -> TrainedIntents:
    rows = [
        Outcome("a|b", str(at), f"Which verdict is right? (case {at})", "s", True, subject="law") for at in range(3)
    ]
    return train_intents(rows, 0, lambda step: None, extractor=EXTRACTOR, train=some("train"), test=some("test"))


def test_the_graph_holds_a_head_for_each_inference(trained: TrainedIntents) -> None:
    assert {head.name: head.classes for head in trained.manifest.heads} == {
        "task_type": TASK_TYPES,
        "risk": RISKS,
        "risk_domain": RISK_DOMAINS,
    }
    IntentModel(trained.onnx, trained.manifest, EXTRACTOR)


def test_prompts_by_other_authors_are_told_apart_better_than_by_guessing(trained: TrainedIntents) -> None:
    assert trained.metrics["task_type"]["accuracy"]["value"] > 3 / len(TASK_TYPES)
    assert trained.metrics["risk"]["classes"]["high"]["recall_named"]["value"] > 0.5


def test_every_class_is_measured_with_its_interval_and_confusion(trained: TrainedIntents) -> None:
    for name, classes in CLASSES.items():
        measured = trained.metrics[name]
        assert list(measured["classes"]) == [each or "none" for each in classes]
        assert sum(map(sum, measured["confusion"])) == len(some("test"))
        assert measured["accuracy"]["lo"] <= measured["accuracy"]["value"] <= measured["accuracy"]["hi"]


def test_the_same_seed_gives_the_same_bytes(trained: TrainedIntents) -> None:
    steps: list[str] = []
    rows = [
        Outcome("a|b", str(at), f"Which verdict is right? (case {at})", "s", True, subject="law") for at in range(3)
    ]

    again = train_intents(rows, 0, steps.append, extractor=EXTRACTOR, train=some("train"), test=some("test"))

    assert again.onnx == trained.onnx
    assert len(steps) == STEPS
