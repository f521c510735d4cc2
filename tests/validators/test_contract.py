from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.core.outcome import FinishReason, Prefix, PrefixKind, PrefixVerdict, VerdictKind
from specroute.core.request import (
    ChoicesOutput,
    JsonObjectOutput,
    JsonSchemaOutput,
    Output,
    RegexOutput,
    TextOutput,
    Tool,
)
from specroute.validators.contract import OutputContract, deliverable_text
from specroute.validators.structured.patterns import RegexError, check_regex
from tests.validators.builders import a_request, an_answer
from tests.validators.structured.test_schema import json_values

PERSON = JsonSchemaOutput('{"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}')
WEATHER = Tool("weather", "", '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}')
CLOCK = Tool("clock")
BOUND_S = 1.0


def fault(output: Output, text: str) -> str | None:
    verdict = OutputContract().judge(a_request(output), an_answer(text))
    return None if verdict.kind is VerdictKind.ACCEPT else verdict.reason


@pytest.mark.parametrize(
    ("output", "text", "reason"),
    [
        (JsonObjectOutput(), '{"a": 1}', None),
        (JsonObjectOutput(), ' \n{"a": 1}\n', None),
        (JsonObjectOutput(), '{"a": 1, "a": 2}', None),
        (JsonObjectOutput(), "[1]", "not_an_object"),
        (JsonObjectOutput(), "null", "not_an_object"),
        (JsonObjectOutput(), '{"a": NaN}', "not_json"),
        (JsonObjectOutput(), '{"a": 1', "not_json"),
        (JsonObjectOutput(), 'Here you are: {"a": 1}', "not_json"),
        (JsonObjectOutput(), '{"a": 1}\nHope that helps!', "not_json"),
        (JsonObjectOutput(), '```json\n{"a": 1}\n```', None),
        (JsonObjectOutput(), '\n```\n{"a": 1}\n```\n\n', None),
        (JsonObjectOutput(), '```JSON\r\n{"a": 1}\r\n```', None),
        (JsonObjectOutput(), '~~~json\n{"a": 1}\n~~~', None),
        (JsonObjectOutput(), '```json {"a": 1}```', None),
        (JsonObjectOutput(), '```{"a": 1}```', None),
        (JsonObjectOutput(), '```{"a":\n 1}```', None),
        (JsonObjectOutput(), 'Sure:\n```json\n{"a": 1}\n```', "not_json"),
        (JsonObjectOutput(), '```json\n{"a": 1}\n```\nDone.', "not_json"),
        (JsonObjectOutput(), "```json\n{}\n```\n```json\n{}\n```", "not_json"),
        (JsonObjectOutput(), '```json\nHere:\n{"a": 1}\n```', "not_json"),
        (JsonObjectOutput(), '```json\n{"a": 1}', "not_json"),
        (JsonObjectOutput(), "``````", "not_json"),
        (JsonObjectOutput(), "`````", "not_json"),
        (JsonObjectOutput(), "", "not_json"),
        (PERSON, '{"name": "Ann"}', None),
        (PERSON, '```json\n{"name": "Ann"}\n```', None),
        (PERSON, '{"name": 1}', "schema"),
        (PERSON, "{}", "schema"),
        (PERSON, "name: Ann", "not_json"),
        (JsonSchemaOutput('{"type": "array"}'), "[]", None),
        (JsonSchemaOutput("{"), "{}", "invalid_schema"),
        (RegexOutput(r"\d{4}-\d{2}"), "2024-05", None),
        (RegexOutput(r"\d{4}-\d{2}"), "2024-05\n", "regex"),
        (RegexOutput(r"\d{4}-\d{2}"), "on 2024-05", "regex"),
        (RegexOutput("é+"), "éé", None),
        (RegexOutput("(?=a)"), "a", "invalid_regex"),
        (ChoicesOutput(("yes", "no")), "yes", None),
        (ChoicesOutput(("yes", "no")), " no\n", None),
        (ChoicesOutput(("yes", "no")), "Yes", "not_a_choice"),
        (ChoicesOutput(("yes", "no")), "yes, of course", "not_a_choice"),
        (ChoicesOutput(("yes", "no")), "", "not_a_choice"),
        (TextOutput(), "anything", None),
    ],
)
def test_an_answer_keeps_or_breaks_the_form_asked_for(output: Output, text: str, reason: str | None) -> None:
    assert fault(output, text) == reason


def test_free_text_without_tools_keeps_its_contract_trivially() -> None:
    verdict = OutputContract().judge(a_request(), an_answer("Hello"))

    assert (verdict.kind, verdict.reason) == (VerdictKind.ACCEPT, "no_contract")


@pytest.mark.parametrize(
    ("tools", "tool_choice", "calls", "reason"),
    [
        ((WEATHER,), "", (("weather", '{"city": "Oslo"}'),), None),
        ((WEATHER,), "required", (("weather", '{"city": "Oslo"}'),), None),
        ((WEATHER, CLOCK), "weather", (("weather", '{"city": "Oslo"}'),), None),
        ((WEATHER, CLOCK), "", (("weather", '{"city": "Oslo"}'), ("clock", "{}")), None),
        ((CLOCK,), "", (("clock", '{"any": ["thing"]}'),), None),
        ((WEATHER,), "", (("wether", '{"city": "Oslo"}'),), "unknown_tool"),
        ((WEATHER,), "", (("weather", "{}"),), "tool_arguments_schema"),
        ((WEATHER,), "", (("weather", '{"city": "Oslo"}'), ("weather", '{"city": 1}')), "tool_arguments_schema"),
        ((WEATHER,), "", (("weather", '["Oslo"]'),), "tool_arguments_not_json"),
        ((WEATHER,), "", (("weather", "{city: Oslo}"),), "tool_arguments_not_json"),
        ((WEATHER,), "", (("weather", ""),), "tool_arguments_not_json"),
        ((WEATHER, CLOCK), "weather", (("clock", "{}"),), "wrong_tool"),
        ((WEATHER,), "none", (("weather", '{"city": "Oslo"}'),), "unexpected_tool_call"),
        ((WEATHER,), "required", (), "tool_call_missing"),
        ((WEATHER,), "weather", (), "tool_call_missing"),
        ((WEATHER,), "", (), None),
        ((WEATHER,), "none", (), None),
        ((), "", (("anything", '{"a": 1}'),), None),
        ((), "", (("anything", "[1]"),), "tool_arguments_not_json"),
        ((Tool("broken", "", "{"),), "", (("broken", "{}"),), "invalid_schema"),
    ],
)
def test_tool_calls_are_ones_that_the_caller_can_run(
    tools: tuple[Tool, ...], tool_choice: str, calls: tuple[tuple[str, str], ...], reason: str | None
) -> None:
    request = a_request(tools=tools, tool_choice=tool_choice)

    verdict = OutputContract().judge(request, an_answer("" if calls else "Sunny.", *calls))

    assert verdict.kind is (VerdictKind.REJECT if reason else VerdictKind.ACCEPT)
    assert verdict.reason == reason or reason is None


def test_an_answer_with_tool_calls_is_judged_by_them_and_not_by_its_text() -> None:
    request = a_request(JsonObjectOutput(), tools=(CLOCK,))
    answer = an_answer("Let me look.", ("clock", "{}"), finish_reason=FinishReason.TOOL_CALLS)

    assert OutputContract().judge(request, answer).kind is VerdictKind.ACCEPT
    assert deliverable_text(request, answer) == "Let me look."


@settings(deadline=None)
@given(
    st.dictionaries(st.text(), json_values, max_size=5), st.sampled_from(["```", "~~~"]), st.sampled_from(["", "json"])
)
def test_a_fenced_json_object_is_delivered_without_its_fence(value: dict[str, object], mark: str, info: str) -> None:
    request = a_request(JsonObjectOutput())
    answer = an_answer(f"\n{mark}{info}\n{json.dumps(value, ensure_ascii=False, indent=1)}\n{mark} \n")

    assert OutputContract().judge(request, answer).kind is VerdictKind.ACCEPT
    assert json.loads(deliverable_text(request, answer)) == value


def test_a_choice_is_delivered_without_the_space_around_it() -> None:
    assert deliverable_text(a_request(ChoicesOutput(("yes",))), an_answer(" yes\n")) == "yes"


def test_free_text_is_delivered_with_its_fences() -> None:
    text = "```json\n{}\n```"

    assert deliverable_text(a_request(), an_answer(text)) == text


outputs = st.sampled_from(
    [TextOutput(), JsonObjectOutput(), PERSON, RegexOutput("a+"), RegexOutput("("), ChoicesOutput(("a",))]
)


@settings(deadline=None)
@given(
    outputs, st.text() | st.text(alphabet='`~{}[]":,\n ajson'), st.lists(st.tuples(st.text(), st.text()), max_size=2)
)
def test_any_answer_gets_a_verdict(output: Output, text: str, calls: list[tuple[str, str]]) -> None:
    verdict = OutputContract().judge(a_request(output), an_answer(text, *calls))

    assert verdict.reason


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "(", "a{1000}{1000}", "x" * 5_000, "\ud800"])
def test_a_pattern_that_is_not_run_is_refused_with_the_reason(pattern: str) -> None:
    with pytest.raises(RegexError, match="pattern"):
        check_regex(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+", "(a|aa)+", "(.*a){20}", "([a-zA-Z]+)*"])
def test_a_pattern_that_would_backtrack_for_ever_finishes(pattern: str) -> None:
    started_s = time.perf_counter()

    assert fault(RegexOutput(pattern), "a" * 100_000 + "!") == "regex"
    assert time.perf_counter() - started_s < BOUND_S


def test_a_huge_pattern_on_a_huge_answer_is_not_run() -> None:
    assert fault(RegexOutput("[ab]*a[ab]{900}c"), "ab" * 200_000) == "too_complex"


def test_a_broad_class_of_letters_does_not_count_as_a_huge_pattern() -> None:
    assert fault(RegexOutput(r"[\pL\pN ]+"), "Grüße " * 10_000) is None


def test_free_text_without_tools_settles_at_once() -> None:
    verdict = OutputContract().judge_prefix(a_request(), Prefix(""))

    assert verdict == PrefixVerdict(PrefixKind.ACCEPT, "no_contract", is_settled=True)


@pytest.mark.parametrize(
    ("output", "tools", "tool_choice", "has_tool_calls"),
    [
        (TextOutput(), (CLOCK,), "", False),
        (TextOutput(), (), "", True),
        (TextOutput(), (), "required", False),
        (JsonObjectOutput(), (CLOCK,), "", False),
        (ChoicesOutput(("yes",)), (CLOCK,), "", False),
        (RegexOutput("a+"), (), "", False),
    ],
)
def test_what_only_the_whole_answer_shows_is_left_to_the_end(
    output: Output, tools: tuple[Tool, ...], tool_choice: str, has_tool_calls: bool
) -> None:
    request = a_request(output, tools=tools, tool_choice=tool_choice)

    verdict = OutputContract().judge_prefix(request, Prefix("bc", has_tool_calls=has_tool_calls))

    assert verdict.kind is PrefixKind.UNDECIDED


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", PrefixKind.UNDECIDED),
        (" \n", PrefixKind.UNDECIDED),
        (" ye", PrefixKind.UNDECIDED),
        ("yes\n ", PrefixKind.UNDECIDED),
        ("not ", PrefixKind.UNDECIDED),
        ("Y", PrefixKind.REJECT),
        ("yes,", PrefixKind.REJECT),
        ("ye s", PrefixKind.REJECT),
    ],
)
def test_a_text_that_is_no_beginning_of_a_choice_is_rejected(text: str, kind: PrefixKind) -> None:
    request = a_request(ChoicesOutput(("yes", " not sure ")))

    assert OutputContract().judge_prefix(request, Prefix(text)).kind is kind
