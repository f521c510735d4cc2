import itertools
import subprocess
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.core.request import Message, Role, RouteRequest
from specroute.predictor.onnx_model import OnnxModel
from specroute.predictor.predictor import OnnxPredictor
from specroute.predictor.prior import PriorPredictor
from specroute.predictor.scorer import Scorer
from specroute.predictor.text.features import FeatureExtractor, FeatureSettings
from tests.predictor.graphs import constant, gathering

if TYPE_CHECKING:
    from specroute.core.ports import Predictor


def _predictor(model: bytes) -> OnnxPredictor:
    ticks = itertools.count(step=0.5)
    return OnnxPredictor(
        Scorer(OnnxModel(model), FeatureExtractor(FeatureSettings())),
        tiers=("mini", "large"),
        version="v1",
        clock=lambda: float(next(ticks)),
    )


def _request(*texts: str) -> RouteRequest:
    return RouteRequest("", tuple(Message(Role.USER, text) for text in texts))


def test_a_prediction_says_what_scored_and_how_long_it_took() -> None:
    predictor: Predictor = _predictor(constant())

    prediction = predictor.predict(_request("hello"))

    assert dict(prediction.p_accept) == {"mini": 0.25, "large": 0.25 * 0.875 + 0.75 * 0.5}
    assert prediction.model_version == "v1"
    assert prediction.fallback_reason == ""
    assert prediction.elapsed_s == 0.5


def test_a_prediction_says_how_sure_it_is_and_what_escalating_may_gain() -> None:
    prediction = _predictor(constant()).predict(_request("hello"))

    assert prediction.interval("mini") == (0.125, 0.5)
    low, high = prediction.intervals["large"]
    assert low <= prediction.p_accept["large"] <= high
    assert prediction.p_rescue == 0.5
    assert prediction.output_tokens == 147  # exp(5) - 1
    assert prediction.novelty == 0.75


def test_the_log_odds_are_the_graphs_own() -> None:
    assert _predictor(constant()).logit("hello") == pytest.approx(-1.0986123)
    assert _predictor(constant()).score("hello") == 0.25


def test_without_a_model_for_it_nothing_is_inferred() -> None:
    prediction = _predictor(constant()).predict(_request("hello"))

    assert prediction.task_type == prediction.risk == prediction.risk_domain == ("", 0.0)


@pytest.mark.parametrize(
    ("model", "text", "reason"),
    [
        (constant("nan"), "hello", "non_finite"),
        (gathering(), "an id beyond the table", "error"),
        (constant(), "", "no_text"),
        (constant(), " \n\u3000", "no_text"),
    ],
)
def test_what_cannot_be_scored_is_uncertain_and_says_why(model: bytes, text: str, reason: str) -> None:
    prediction = _predictor(model).predict(_request(text))

    assert dict(prediction.p_accept) == {}
    assert prediction.fallback_reason == reason
    assert prediction.model_version == "v1"
    assert prediction.elapsed_s == 0.5


def test_a_failed_score_is_logged_without_the_prompt(caplog: pytest.LogCaptureFixture) -> None:
    _predictor(gathering()).predict(_request("a secret"))

    assert "scoring failed" in caplog.text
    assert "secret" not in caplog.text


def test_a_conversation_without_a_user_message_has_no_text() -> None:
    request = RouteRequest("", (Message(Role.SYSTEM, "be brief"), Message(Role.ASSISTANT, "yes")))

    assert _predictor(constant()).predict(request).fallback_reason == "no_text"


@given(st.lists(st.text(st.characters(codec=None, categories=None), max_size=80), max_size=3))
@settings(deadline=None)
def test_no_text_makes_it_raise(texts: list[str]) -> None:
    prediction = _predictor(constant()).predict(_request(*texts))

    assert bool(prediction.p_accept) != bool(prediction.fallback_reason)


def test_a_prior_is_the_same_for_every_request() -> None:
    predictor: Predictor = PriorPredictor(MappingProxyType({"mini": 0.3, "medium": 0.8}))

    prediction = predictor.predict(_request("hello"))

    assert dict(prediction.p_accept) == {"mini": 0.3, "medium": 0.8}
    assert prediction.model_version == "prior"
    assert predictor.predict(_request("")) == prediction


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_prior_outside_the_unit_interval_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="prior of tier 'mini'"):
        PriorPredictor({"mini": p})


def test_serving_loads_no_training_library() -> None:
    code = (
        "import sys, specroute.predictor.predictor, specroute.predictor.prior; "
        "print(sorted({'sklearn', 'onnx', 'pyarrow', 'scipy'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
