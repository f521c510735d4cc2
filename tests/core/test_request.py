"""Facts of a request that the policy and the bill read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.core.request import Generation, Message, Role, Tool, utf8_length
from tests.fakes import request_of


@pytest.mark.parametrize(("prompt", "tokens"), [("", 0), ("abcd", 1), ("abcde", 2), ("é" * 4, 2), ("日本", 2)])
def test_tokens_are_utf8_bytes_by_four_rounded_up(prompt: str, tokens: int) -> None:
    assert request_of(prompt).input_tokens == tokens


def test_every_message_counts_for_tokens_and_user_messages_for_turns() -> None:
    messages = [
        Message(Role.SYSTEM, "be kind."),
        Message(Role.USER, "one"),
        Message(Role.ASSISTANT, "two"),
        Message(Role.USER, "three"),
        Message(Role.TOOL, "4"),
    ]
    request = request_of(messages=messages)
    assert (request.prompt_bytes, request.input_tokens, request.turns) == (20, 5, 2)
    assert request.last_user_text == "three"


def test_without_a_user_message_there_is_no_text_to_score() -> None:
    assert request_of(messages=[Message(Role.SYSTEM, "x")]).last_user_text == ""


@pytest.mark.parametrize(
    ("tool", "safe"),
    [
        (Tool("look_up"), True),
        (Tool("search", server_side=True), False),
        (Tool("pay", not_idempotent=True), False),
    ],
)
def test_tools_that_run_elsewhere_or_must_not_run_twice_forbid_speculation(tool: Tool, safe: bool) -> None:
    assert request_of(generation=Generation(tools=(Tool("plain"), tool))).is_speculation_safe is safe


@given(st.text(st.characters()))
def test_the_utf8_length_agrees_with_the_encoder(text: str) -> None:
    assert utf8_length(text) == len(text.encode("utf-8", "surrogatepass"))
