"""The verifier's model: what it says, where it says nothing, and what it refuses to load."""

from __future__ import annotations

import math

import msgspec
import pytest

from specroute.predictor.verifier.evidence import Evidence
from specroute.predictor.verifier.manifest import VerifierManifest
from specroute.predictor.verifier.model import VerifierModel, VerifierModelError
from tests.predictor.verifier.graphs import GOLDEN, a_graph, a_manifest

_PROMPT = "What is six times seven?"
_RIGHT, _WRONG = "6 * 7 = 42. The answer is 42", "6 * 7 = 42. The answer is 43"


def _model(**changes: tuple[str, ...]) -> VerifierModel:
    return VerifierModel(a_graph(), a_manifest(**changes))  # type: ignore[arg-type]


def test_an_answer_is_scored_from_its_measures_and_the_prior() -> None:
    found = _model().assess(Evidence(_PROMPT, _RIGHT), 0.5)

    assert found.reason == "scored"
    assert found.p == pytest.approx(1.0 / (1.0 + math.exp(-2.5)), abs=1e-6)


def test_the_posterior_rises_with_the_prior_and_with_the_evidence() -> None:
    model = _model()
    chances = [model.assess(Evidence(_PROMPT, _RIGHT), prior).p for prior in (-3.0, 0.0, 3.0)]
    wrong = model.assess(Evidence(_PROMPT, _WRONG), 0.0).p

    assert None not in chances
    assert wrong is not None
    assert chances == sorted(chances, key=lambda p: p or 0.0)
    assert wrong < (chances[1] or 0.0)


def test_an_endless_prior_is_cut() -> None:
    found = _model().assess(Evidence(_PROMPT, _WRONG), -math.inf)

    assert found.p is not None
    assert 0.0 < found.p < 0.01


@pytest.mark.parametrize(
    ("evidence", "prior", "reason"),
    [
        (Evidence("Write a poem.", "The moon is old."), 0.0, "open_ended"),
        (Evidence(_PROMPT, " \n"), 0.0, "empty"),
        (Evidence(_PROMPT, None), 0.0, "no_answer_text"),
        (Evidence("Which?\nA. one\nB. two\n", "The answer is (A)."), 0.0, "unfamiliar"),
        (Evidence(f"Simplify $x^2 = {{y}}^3$. {_PROMPT}", _RIGHT), 0.0, "unfamiliar"),
        (Evidence(_PROMPT, _RIGHT), math.nan, "no_prior"),
    ],
)
def test_it_abstains_where_it_has_no_evidence(evidence: Evidence, prior: float, reason: str) -> None:
    found = _model().assess(evidence, prior)

    assert (found.p, found.reason) == (None, reason)


def test_a_short_answer_of_no_learnt_kind_is_judged_by_its_confidence() -> None:
    prompt = "Which?\nA. one\nB. two\n"

    assert _model().assess(Evidence(prompt, "(A)", mean_logprob=-0.1, output_tokens=2), 0.0).p is not None
    assert _model(kinds=("result",)).assess(Evidence(prompt, "(A)", mean_logprob=-0.1), 0.0).reason == "unfamiliar"
    assert _model().assess(Evidence(prompt, "(A) " * 500, mean_logprob=-0.1), 0.0).reason == "unfamiliar"


def test_an_answer_without_text_is_judged_by_its_confidence_or_not_at_all() -> None:
    evidence = Evidence(_PROMPT, None, stated_confidence=0.9)

    assert _model().assess(evidence, 0.0).reason == "scored"
    assert _model(kinds=("result",)).assess(evidence, 0.0).reason == "no_answer_text"


def test_a_graph_that_gives_no_number_makes_it_abstain() -> None:
    model = VerifierModel(a_graph(bias=math.nan), a_manifest())

    assert model.assess(Evidence(_PROMPT, _RIGHT), 0.0).reason == "non_finite"


def test_bytes_that_are_no_graph_are_refused() -> None:
    with pytest.raises(VerifierModelError, match="not a graph that onnxruntime"):
        VerifierModel(b"nothing", a_manifest())


def test_a_graph_of_another_signature_is_refused() -> None:
    with pytest.raises(VerifierModelError, match="signature"):
        VerifierModel(a_graph(size=300), a_manifest())


def test_a_model_of_other_features_is_refused() -> None:
    with pytest.raises(VerifierModelError, match="features_version is 0"):
        VerifierModel(a_graph(), a_manifest(features_version=0))


def test_a_golden_vector_that_does_not_hold_is_refused() -> None:
    for golden in (
        msgspec.structs.replace(GOLDEN, reason="scored"),
        msgspec.structs.replace(GOLDEN, prompt=_PROMPT, answer=_RIGHT, p=0.5, reason="scored"),
    ):
        with pytest.raises(VerifierModelError, match="golden vector 0"):
            VerifierModel(a_graph(), a_manifest(golden=(golden,)))


def test_a_manifest_survives_json() -> None:
    manifest = a_manifest()

    assert msgspec.json.decode(msgspec.json.encode(manifest), type=VerifierManifest) == manifest
