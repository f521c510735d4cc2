from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.core.outcome import VerdictKind
from specroute.core.request import ChoicesOutput, JsonObjectOutput, JsonSchemaOutput, Output, RegexOutput, Tool
from specroute.validators.contract import OutputContract, deliverable_text
from specroute.validators.deliverable import DeliverableText
from tests.validators.builders import a_request, an_answer
from tests.validators.structured.test_json_prefix import answers

TEXTS = [
    '{"a": 1}',
    ' \n{"a": 1}\n',
    '```json\n{"a": 1}\n```\n',
    '~~~\n {"a": "```\\n~~~"} \n~~~',
    '```{"a":\n 1}```',
    '```json {"a": 1}```',
    '```json{"a": 1}```\n',
    '```\n{"a": "`"}```',
    "```\n\u00a0{}\u00a0\n```",
    '"``"',
    "12",
]


def shown(output: Output, text: str, *, tools: tuple[Tool, ...] = ()) -> list[str]:
    """Returns what is certain after each character, and checks that nothing is taken back."""
    request = a_request(output, tools=tools)
    deliverable = DeliverableText(request)
    found = [deliverable.certain(text[:cut]) for cut in range(len(text) + 1)]
    assert all(later.startswith(sooner) for sooner, later in pairwise(found))
    if OutputContract().judge(request, an_answer(text)).kind is VerdictKind.ACCEPT:
        assert deliverable_text(request, an_answer(text)).startswith(found[-1])
    return found


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("tools", [(), (Tool("clock"),)])
def test_what_is_certain_is_delivered(text: str, tools: tuple[Tool, ...]) -> None:
    shown(JsonObjectOutput(), text, tools=tools)
    shown(JsonSchemaOutput("{}"), text, tools=tools)


@settings(deadline=None)
@given(answers())
def test_what_is_certain_of_any_answer_is_delivered(answer: tuple[JsonSchemaOutput, str]) -> None:
    output, text = answer

    shown(output, text)
    shown(JsonObjectOutput(), text)


@settings(deadline=None)
@given(st.text(alphabet='`~ \njson{}":1\u00a0', max_size=30), st.dictionaries(st.text(), st.text(), max_size=2))
def test_what_is_certain_of_any_text_is_delivered(text: str, value: dict[str, str]) -> None:
    body = json.dumps(value)

    for each in (text, f"```{text}\n{body}\n```", f"```\n{body}{text}```", f"{text}{body}"):
        shown(JsonObjectOutput(), each)


def test_a_fence_and_the_space_around_it_are_never_shown() -> None:
    found = shown(JsonObjectOutput(), '```json\n{"a": 1}\n```\n')

    assert found[-1] == '{"a": 1}'
    assert found[9] == "{"


@pytest.mark.parametrize("output", [None, RegexOutput("a+")])
def test_text_is_shown_as_it_comes(output: Output | None) -> None:
    deliverable = DeliverableText(a_request(output))

    assert deliverable.is_verbatim
    assert deliverable.certain(" ```a ") == " ```a "


def test_json_without_a_fence_is_shown_as_it_comes_once_that_is_known() -> None:
    deliverable = DeliverableText(a_request(JsonObjectOutput()))

    assert deliverable.certain("\n") == ""
    assert not deliverable.is_verbatim
    assert deliverable.certain('\n{"') == '\n{"'
    assert deliverable.is_verbatim


def test_of_a_choice_nothing_is_certain_before_its_end() -> None:
    assert shown(ChoicesOutput(("yes",)), " yes ")[-1] == ""


def test_beside_tool_calls_a_fence_is_part_of_the_text() -> None:
    assert shown(JsonObjectOutput(), "```json\n{}", tools=(Tool("clock"),))[-1] == ""
