from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.core.outcome import Prefix, PrefixKind, PrefixVerdict, VerdictKind
from specroute.core.request import Hints, JsonObjectOutput, Message, Role, RouteRequest
from specroute.validators.quality.script import READ_LETTERS, SameScript
from tests.validators.builders import a_request, an_answer

ENGLISH = "The capital of Norway is Oslo, and it has been so for a very long time indeed."
CHINESE = (
    "挪威的首都是奥斯陆，它是一座历史悠久的城市，位于该国的东南部，"
    "人口大约七十万，经济以服务业和航运业为主，每年吸引许多游客前来参观博物馆和峡湾。"
)
JAPANESE = (
    "ノルウェーの首都はオスロです。とても古い町で、"
    "たくさんの人が住んでいます。海の近くにあり、夏は涼しくて過ごしやすいです。"
)
RUSSIAN = "Столица Норвегии - Осло, и этот город остаётся столицей уже очень много лет подряд."


def asked(prompt: str, task_type: str = "") -> RouteRequest:
    return RouteRequest("r1", (Message(Role.USER, prompt),), hints=Hints(task_type=task_type))


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("What is the capital of Norway?", CHINESE),
        ("What is the capital of Norway?", RUSSIAN),
        ("挪威的首都是哪里？", ENGLISH),
        ("Какая столица Норвегии?", ENGLISH),
        ("노르웨이의 수도는 어디입니까?", CHINESE),
        ("What is the capital of Norway?", "Oslo: " + CHINESE),
    ],
)
def test_an_answer_in_a_script_that_the_prompt_does_not_use_is_rejected(prompt: str, answer: str) -> None:
    request = asked(prompt)

    assert SameScript().judge(request, an_answer(answer)).reason == "foreign_script"
    assert SameScript().judge_prefix(request, Prefix(answer)) == PrefixVerdict(PrefixKind.REJECT, "foreign_script")


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("What is the capital of Norway?", ENGLISH),
        ("What is the capital of Norway?", ENGLISH + CHINESE),
        ("挪威的首都是哪里？", CHINESE),
        ("ノルウェーの首都はどこですか。", CHINESE),
        ("挪威的首都是哪里？", JAPANESE),
        ("Solve it.", "Let α, β and γ be the angles; then α + β + γ = π, so that γ = π - α - β follows at once."),
    ],
)
def test_an_answer_in_the_script_of_the_prompt_passes(prompt: str, answer: str) -> None:
    assert SameScript().judge(asked(prompt), an_answer(answer)).reason == "same_script"


@pytest.mark.parametrize(
    ("request_", "answer", "reason"),
    [
        (asked("What is the capital of Norway?"), "奥斯陆。", "too_little_text"),
        (asked("Answer."), "```\n" + CHINESE, "too_little_text"),
        (asked("Answer in Chinese: what is the capital of Norway?"), CHINESE, "any_script"),
        (asked("用英文回答：挪威的首都是哪里？"), ENGLISH, "any_script"),
        (asked("What does 首都 mean?"), RUSSIAN, "any_script"),
        (asked("12 + 30 = ?"), CHINESE, "any_script"),
        (asked("Good morning.", "translation"), CHINESE, "not_prose"),
        (asked("写一个排序函数", "code_generation"), ENGLISH, "not_prose"),
        (a_request(JsonObjectOutput()), CHINESE, "not_prose"),
    ],
)
def test_where_no_script_is_the_right_one_it_abstains(request_: RouteRequest, answer: str, reason: str) -> None:
    verdict = SameScript().judge(request_, an_answer(answer))

    assert (verdict.kind, verdict.reason) == (VerdictKind.ABSTAIN, reason)


def test_a_tool_call_excuses_any_text() -> None:
    assert SameScript().judge(asked("Hello"), an_answer(CHINESE, ("clock", "{}"))).kind is VerdictKind.ABSTAIN
    assert SameScript().judge_prefix(asked("Hello"), Prefix("", has_tool_calls=True)).is_settled


def test_half_of_the_letters_decide() -> None:
    request = asked("What is the capital of Norway?")

    assert SameScript().judge_prefix(request, Prefix("a" * (READ_LETTERS // 2))).kind is PrefixKind.UNDECIDED
    assert SameScript().judge_prefix(request, Prefix("a" * (READ_LETTERS // 2 + 1))).is_settled


@settings(deadline=None)
@given(
    st.sampled_from(["Which?", "哪里？", "12?", "Which 首都?", "Translate: good"]),
    st.lists(st.sampled_from([ENGLISH, CHINESE, RUSSIAN, "```\n", " 12 ", "é", "\n"]), max_size=5),
    st.integers(1, 60),
)
def test_what_a_beginning_decides_the_whole_does_not_change(prompt: str, parts: list[str], step: int) -> None:
    request, text = asked(prompt), "".join(part[:step] for part in parts)
    whole = SameScript().judge(request, an_answer(text))
    for cut in range(0, len(text) + 1):
        verdict = SameScript().judge_prefix(request, Prefix(text[:cut]))
        if verdict.is_settled:
            assert whole.kind is not VerdictKind.REJECT
        if verdict.kind is PrefixKind.REJECT:
            assert whole.kind is VerdictKind.REJECT
