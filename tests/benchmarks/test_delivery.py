import json
from collections.abc import Sequence

import numpy as np
import pytest
from benchmarks.delivery_cases import Answer, Case, Damage, Kind, damaged
from benchmarks.delivery_figures import Bootstrap, Share
from benchmarks.delivery_runs import Seen, Service, WayRun, replay
from benchmarks.delivery_ways import ALWAYS_LARGE, RACE_STREAMS, RACE_WHOLE, LatencyModel, Speed, Way
from hypothesis import given
from hypothesis import strategies as st

from specroute.core.outcome import FinishReason
from specroute.core.request import JsonObjectOutput, Message, Role, RouteRequest, TextOutput, ToolCall
from specroute.core.stream import CommitReason
from specroute.predictor.prior import PriorPredictor
from specroute.validators.structured.json_text import NotJson, parse_json

STEADY = LatencyModel("steady", Speed(0.5, 0.0, 10.0), Speed(2.25, 0.0, 5.0))
VALIDATORS = ("complete", "not_refusal", "output_contract")
LONG = "Thirty days has September, and so have April, June and November; the others have one more."
RACE_COMMITTED, HOLD_BACK_16 = RACE_STREAMS[:2]


def case_of(mini: str = LONG, large: str = LONG, *, name: str = "one", kind: Kind = Kind.TEXT) -> Case:
    output = JsonObjectOutput() if kind is Kind.JSON else TextOutput()
    request = RouteRequest(name, (Message(Role.USER, "How many days has June?"),), output=output)
    answers = {"mini": Answer(mini, (), FinishReason.STOP), "large": Answer(large, (), FinishReason.STOP)}
    return Case(request, name, kind, answers, {"mini": False, "large": True})


def run_of(way: Way, *cases: Case) -> WayRun:
    service = Service(way, STEADY, PriorPredictor({"mini": 0.7}), VALIDATORS)
    return replay(service, cases, seed=0, advance=lambda: None)


def seen_at(instants_s: Sequence[float | None]) -> list[Seen]:
    return [
        Seen(case_of(name=str(index)), at_s, None, False, False, "mini", False, 0, 0, ())
        for index, at_s in enumerate(instants_s)
    ]


@given(st.text(max_size=60), st.lists(st.text(max_size=30), max_size=3))
def test_the_chunks_of_an_answer_are_that_answer(text: str, arguments: list[str]) -> None:
    calls = tuple(ToolCall(f"id-{index}", "add", each) for index, each in enumerate(arguments))

    chunks = Answer(text, calls, FinishReason.STOP).chunks

    assert "".join(chunk.text for chunk in chunks) == text
    deltas = [delta for chunk in chunks for delta in chunk.tool_calls]
    for index, call in enumerate(calls):
        mine = [delta for delta in deltas if delta.index == index]
        assert "".join(delta.arguments_json for delta in mine) == call.arguments_json
        assert [(delta.id, delta.name) for delta in mine if delta.id] == [(call.id, call.name)]
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == [FinishReason.STOP]
    assert chunks[-1].finish_reason is FinishReason.STOP


def test_a_share_of_answers_is_broken_and_the_same_ones_each_time() -> None:
    whole = json.dumps({"reasoning": LONG, "answer": 30})
    cases = [case_of(whole, name=f"case-{index}", kind=Kind.JSON) for index in range(400)]

    broken = [case for case in damaged(cases, share=0.5, seed=1) if case.damage]

    assert 150 < len(broken) < 250
    assert {case.damage for case in broken} == set(Damage)
    assert damaged(cases, share=0.5, seed=1) == damaged(cases, share=0.5, seed=1)
    assert damaged(cases, share=0.0, seed=1) == cases
    for case in broken:
        mini = case.answers["mini"]
        with pytest.raises(NotJson):
            parse_json(mini.text)
        assert (mini.finish_reason is FinishReason.LENGTH) == (case.damage in (Damage.CUT_OFF, Damage.LOOP))
        assert not case.grades["mini"]


def test_a_stream_shows_its_first_token_when_the_tier_gives_it() -> None:
    (seen,) = run_of(ALWAYS_LARGE, case_of()).seen

    assert seen.useful_s == pytest.approx(2.25)
    assert seen.tier == "large"
    assert seen.large_tokens == len(seen.case.answers["large"].chunks)
    assert seen.is_right
    assert seen.faults == ()


def test_a_whole_answer_is_useful_when_it_has_ended() -> None:
    (seen,) = run_of(RACE_WHOLE, case_of()).seen

    assert seen.useful_s == pytest.approx(0.5 + (len(seen.case.answers["mini"].chunks) - 1) / 10.0)
    assert (seen.tier, seen.commit) == ("mini", None)


def test_a_race_counts_what_large_had_said_when_it_lost() -> None:
    (seen,) = run_of(RACE_WHOLE, case_of(LONG + LONG)).seen

    assert seen.useful_s is not None
    assert seen.large_tokens == 1 + int((seen.useful_s - 2.25) * 5.0)


def test_a_commit_that_the_end_proves_wrong_is_told() -> None:
    broken_late = f'{{"reasoning": "{LONG}", "answer": thirty}}'

    (seen,) = run_of(HOLD_BACK_16, case_of(broken_late, json.dumps({"answer": 30}), kind=Kind.JSON)).seen

    assert seen.commit is not None
    assert (seen.commit.reason, seen.commit.upheld) == (CommitReason.HELD_BACK, False)
    assert seen.useful_s == pytest.approx(0.5 + 15 / 10.0)
    assert (seen.tier, seen.is_right, seen.faults) == ("", False, ())


def test_cases_are_independent_of_each_other_in_time() -> None:
    cases = [case_of(name=f"case-{index}") for index in range(3)]

    seen = run_of(RACE_COMMITTED, *cases).seen

    assert [each.useful_s for each in seen] == pytest.approx([seen[0].useful_s] * 3)


@given(st.lists(st.one_of(st.none(), st.floats(0.0, 9.0)), min_size=1, max_size=30), st.sampled_from([0.5, 0.99]))
def test_a_quantile_is_the_smallest_value_that_enough_do_not_exceed(instants: list[float | None], q: float) -> None:
    values = np.array([np.inf if each is None else each for each in instants])

    measured, *drawn = Bootstrap(seen_at(instants), seed=0).quantile(values, q)

    assert measured == np.percentile(values, 100.0 * q, method="inverted_cdf")
    assert set(drawn) <= set(values)


def test_a_share_without_trials_is_unknown_and_one_without_hits_is_bounded() -> None:
    assert Share(0, 0).figure.value is None
    figure = Share(0, 100).figure
    assert (figure.value, figure.lo) == (0.0, 0.0)
    assert figure.hi == pytest.approx(0.0362, abs=1e-4)
