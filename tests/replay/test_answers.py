"""What both tiers say to a recorded prompt, and how fast."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.engine.leg.transcript import Transcript
from specroute.learn.dataset import Outcomes
from specroute.replay.answers import AnswerBook, ReplayError, TimedAnswer, usable_rows
from specroute.upstreams.openai_answer import StreamedAnswer
from specroute.upstreams.simulated.http.frames import AnswerFrames
from specroute.upstreams.simulated.latency import latency_model
from tests.replay.world import PAIR, constant, row

if TYPE_CHECKING:
    from specroute.core.outcome import Completion

CALLS = '[{"add": "{\\"a\\": 1, \\"b\\": 2}"}, {"now": ""}, {"add": "{\\"a\\": 3}"}]'


def replayed(timed: TimedAnswer, cuts: list[int]) -> Completion:
    """The answer, cut into pieces before the given events."""
    transcript = Transcript("asked-for")
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < timed.deltas}), timed.deltas]
    for first, end in pairwise(edges):
        transcript.add(timed.content(first, end - 1))
    transcript.add(timed.finish())
    return transcript.completion()


def live(timed: TimedAnswer) -> Completion:
    """The answer as the service reads it from the simulated tier's HTTP stream."""
    frames = AnswerFrames(timed.answer, "id", created_s=1, include_usage=True)
    reader, transcript = StreamedAnswer(), Transcript("asked-for")
    for data in (frames.role(), *(delta.frame for delta in frames.deltas()), *frames.finish()):
        chunk = reader.feed(data)
        if chunk is not None:
            transcript.add(chunk)
    assert reader.is_done
    return transcript.completion()


def timed(text: str, tokens: float | None, output_format: str = "") -> TimedAnswer:
    asked = row(1, mini_response=text, mini_output_tokens=tokens, output_format=output_format)
    return AnswerBook((asked,), PAIR, latency_model("mini-fast"), 0).answer(0, "mini")


@given(
    st.text(max_size=200).filter(lambda text: text.isprintable()),
    st.none() | st.integers(0, 80),
    st.lists(st.integers(1, 30)),
)
def test_validators_see_the_very_answer_that_they_see_live(text: str, tokens: int | None, cuts: list[int]) -> None:
    answer = timed(text, tokens)

    assert replayed(answer, cuts) == live(answer)


@given(st.integers(0, 80), st.lists(st.integers(1, 30)))
def test_tool_calls_come_whole_however_they_are_cut(tokens: int, cuts: list[int]) -> None:
    answer = timed(CALLS, tokens, output_format="tool_calls")

    assert [call.name for call in answer.answer.tool_calls] == ["add", "now", "add"]
    assert replayed(answer, cuts) == live(answer)


def test_an_answer_takes_as_long_as_its_draw_says() -> None:
    rows = tuple(row(number) for number in range(20))
    model = latency_model("mini-fast")
    book = AnswerBook(rows, PAIR, model, 7)

    for index, each in enumerate(rows):
        pace = model.pace("large", each.prompt, output_tokens=50, recorded_s=None, seed=7)
        assert book.answer(index, "large").whole_s == pytest.approx(pace.ttft_s + 50 * pace.per_token_s)


def test_a_recorded_latency_is_the_time_of_the_whole_answer_where_the_model_prefers_it() -> None:
    book = AnswerBook((row(1, mini_latency_s=3.25),), PAIR, latency_model("recorded"), 0)

    assert book.answer(0, "mini").whole_s == pytest.approx(3.25)


def test_events_leave_one_after_the_other_the_first_with_the_first_token() -> None:
    answer = AnswerBook((row(1),), PAIR, constant(1.0, 2.0), 0).answer(0, "mini")

    assert answer.leaves_s(0) == pytest.approx(0.2)
    assert answer.last_before(0.1) == -1
    assert answer.last_before(answer.leaves_s(4) + 1e-6) == 4
    assert answer.last_before(99.0) == answer.deltas - 1


def outcomes(*rows_: object) -> Outcomes:
    return Outcomes(tuple(rows_), (), 0)  # type: ignore[arg-type]  # rows only


def test_rows_without_both_answers_or_grades_are_left_out_and_counted() -> None:
    found = usable_rows(
        outcomes(
            row(1),
            row(2, mini_response=None),
            row(3, large_response=None),
            row(4, large_ok=None),  # type: ignore[arg-type]  # as a file may have it
            row(5, prompt="prompt 1"),
        ),
        pair=PAIR,
        limit=None,
        seed=0,
    )

    assert [each.prompt for each in found.rows] == ["prompt 1"]
    assert found.left_out == 4


def test_a_seed_draws_the_order_and_a_limit_takes_the_first_of_it() -> None:
    all_rows = outcomes(*(row(number) for number in range(40)))

    whole = usable_rows(all_rows, pair=PAIR, limit=None, seed=1)
    again = usable_rows(all_rows, pair=PAIR, limit=10, seed=1)
    other = usable_rows(all_rows, pair=PAIR, limit=None, seed=2)

    assert again.rows == whole.rows[:10]
    assert whole.rows != other.rows
    assert set(whole.rows) == set(other.rows)


def test_a_pair_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ReplayError, match=r"no rows of pair 'x\|y'; choose one of 'tiny\|huge' with --pair"):
        usable_rows(outcomes(row(1)), pair="x|y", limit=None, seed=0)


def test_a_file_without_answers_is_refused_with_the_columns_to_fill() -> None:
    with pytest.raises(ReplayError, match=r"none of the 1 rows .* fill in mini_response"):
        usable_rows(outcomes(row(1, mini_response=None)), pair=PAIR, limit=None, seed=0)
