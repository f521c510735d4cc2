import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.core.outcome import FinishReason
from specroute.core.request import ToolCall
from specroute.upstreams.simulated.answers import SimulatedAnswer
from specroute.upstreams.simulated.http.frames import DONE, AnswerFrames


def frames_of(answer: SimulatedAnswer, **options: Any) -> AnswerFrames:
    return AnswerFrames(answer, completion_id="chatcmpl-1", created_s=1_700_000_000, **options)


def answer_of(text: str, *, tokens: int = 10) -> SimulatedAnswer:
    return SimulatedAnswer("mini", "small-1", text, input_tokens=7, output_tokens=tokens, mean_logprob=-0.2)


def decoded(frame: bytes) -> dict[str, Any]:
    assert frame.startswith(b"data: ")
    assert frame.endswith(b"\n\n")
    event: dict[str, Any] = orjson.loads(frame[6:])
    return event


@given(text=st.text(), tokens=st.integers(0, 500), size=st.integers(1, 10))
def test_deltas_joined_are_the_text_and_count_up_to_the_reported_tokens(text: str, tokens: int, size: int) -> None:
    deltas = frames_of(answer_of(text, tokens=tokens), tokens_per_delta=size).deltas()

    assert "".join(decoded(delta.frame)["choices"][0]["delta"]["content"] for delta in deltas) == text
    sent = [delta.tokens_sent for delta in deltas]
    assert sent == sorted(sent)
    assert not text or sent[-1] == tokens


def test_the_stream_opens_with_the_role_and_ends_with_reason_usage_and_done() -> None:
    frames = frames_of(answer_of("Hello there"), include_usage=True)

    role = decoded(frames.role())
    finish, usage, done = frames.finish()

    assert role["choices"] == [
        {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
    ]
    assert (role["object"], role["model"], role["usage"]) == ("chat.completion.chunk", "small-1", None)
    assert decoded(finish)["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert decoded(usage)["choices"] == []
    assert decoded(usage)["usage"]["total_tokens"] == 17
    assert done == DONE


def test_without_the_option_no_event_speaks_of_usage() -> None:
    frames = frames_of(answer_of("Hello"))

    events = [frames.role(), *(delta.frame for delta in frames.deltas()), *frames.finish()]

    assert not any(b"usage" in event for event in events)


def test_tool_calls_come_in_pieces_with_id_and_name_once() -> None:
    calls = (ToolCall("c1", "add", '{"a": 1}'), ToolCall("c2", "stop", ""))
    answer = SimulatedAnswer("mini", "m", "", 1, 8, tool_calls=calls, finish_reason=FinishReason.TOOL_CALLS)

    pieces = [
        decoded(delta.frame)["choices"][0]["delta"]["tool_calls"][0]
        for delta in frames_of(answer, tokens_per_delta=1).deltas()
    ]

    assert [(piece["index"], piece["id"], piece["function"]["name"]) for piece in pieces if "id" in piece] == [
        (0, "c1", "add"),
        (1, "c2", "stop"),
    ]
    assert "".join(piece["function"]["arguments"] for piece in pieces if piece["index"] == 0) == '{"a": 1}'
    whole = orjson.loads(frames_of(answer).whole())["choices"][0]
    assert whole["message"]["content"] is None
    assert whole["message"]["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 1}'}
    assert whole["finish_reason"] == "tool_calls"


def test_logprobs_cover_every_token_where_they_are_asked_for() -> None:
    frames = frames_of(answer_of("One two three, four."), logprobs=random.Random(1))

    tokens = [token for delta in frames.deltas() for token in decoded(delta.frame)["choices"][0]["logprobs"]["content"]]

    assert "".join(token["token"] for token in tokens) == "One two three, four."
    assert all(token["logprob"] <= 0 for token in tokens)
    assert decoded(frames_of(answer_of("One")).deltas()[0].frame)["choices"][0]["logprobs"] is None


def test_a_recorded_answer_without_logprobs_reports_none() -> None:
    answer = SimulatedAnswer("mini", "m", "text", 1, 1)

    whole = orjson.loads(frames_of(answer, logprobs=random.Random(1)).whole())

    assert whole["choices"][0]["logprobs"] is None


@pytest.mark.parametrize("text", ["", "é 漢字 🙂\n\u2028"])
def test_a_whole_answer_is_one_body(text: str) -> None:
    whole = orjson.loads(frames_of(answer_of(text)).whole())

    assert whole["choices"][0]["message"]["content"] == text
    assert whole["usage"]["prompt_tokens"] == 7
    assert whole["usage"]["completion_tokens"] == 10
