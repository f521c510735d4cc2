from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from specroute.core.outcome import Prefix, PrefixKind, PrefixVerdict
from specroute.core.request import Tool
from specroute.validators.refusal import MAX_REFUSAL_CHARACTERS, NotRefusal, is_refusal
from tests.validators.builders import a_request
from tests.validators.refusal.refusal_examples import ANSWERS, MORE_REFUSALS, REFUSALS

EVERY_REFUSAL = [*(text for texts in REFUSALS.values() for text in texts), *MORE_REFUSALS]
MARKS = ["\u0301", "\u0307", "\u0308", "\u0323", "\u0327", "\u0338", "\uff9e", "\u1161", "\u11a8", "\u0651", "\u200b"]
SAMPLED_ANSWERS = 400


def read(text: str, *, tools: tuple[Tool, ...] = (), has_tool_calls: bool = False) -> PrefixVerdict:
    return NotRefusal().judge_prefix(a_request(tools=tools), Prefix(text, has_tool_calls=has_tool_calls))


def settles_wrongly(text: str) -> list[str]:
    """Returns the beginnings of a refusal that are settled as an answer."""
    return [text[:cut] for cut in range(len(text) + 1) if read(text[:cut]).is_settled] if is_refusal(text) else []


@pytest.mark.parametrize("decorated", ["{}", "<think>The user asks.</think>{}", '**"{}', "{} {}"])
@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKD"])
def test_no_beginning_of_a_refusal_is_settled_as_an_answer(form: Literal["NFC", "NFD", "NFKD"], decorated: str) -> None:
    for text in EVERY_REFUSAL:
        assert settles_wrongly(unicodedata.normalize(form, decorated.format(text, text))) == []


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([word for text in EVERY_REFUSAL for word in text.replace("。", "。 ").split(" ")]),
            st.sampled_from([text[:30] for text in EVERY_REFUSAL]),
            st.sampled_from(EVERY_REFUSAL),
            st.sampled_from(MARKS),
            st.text(max_size=3),
        ),
        max_size=6,
    ),
    st.sampled_from(["", " "]),
)
@example(["i\u0307 cannot assist with that."], "")
def test_whatever_is_settled_as_an_answer_is_no_refusal(parts: list[str], between: str) -> None:
    assert settles_wrongly(between.join(parts)) == []


@pytest.mark.parametrize(
    ("text", "characters"),
    [
        ("The capital of Norway is Oslo.", 3),
        ("Step 1: Let x be the number of eggs.", 3),
        ("To solve this, we first need the sum.", 3),
        ("Sure, here is the list.", 5),
        ("We are given a triangle.", 15),
        ("I'm going to count them.", 14),
        ("1. Preheat the oven.", 1),
        ('{"answer": 42}', 2),
        ("42", 1),
        ("La réponse est 42.", 3),
        ("Die Lösung braucht drei Schritte.", 4),
        ("首先，计算总数是多少并且写下来。", 17),
        ("Ответ: 42", 3),
    ],
)
def test_ordinary_text_settles_within_its_first_words(text: str, characters: int) -> None:
    settled = [cut for cut in range(1, len(text) + 1) if read(text[:cut]).is_settled]

    assert settled
    assert settled[0] <= characters
    assert settled == list(range(settled[0], len(text) + 1))


@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_that_only_sounds_like_a_refusal_is_not_rejected_early(text: str) -> None:
    assert all(read(text[:cut]).kind is not PrefixKind.REJECT for cut in range(len(text) + 1))


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't assist with that. ",
        "**I cannot help with this request.**\n\n",
        "抱歉，我无法帮助您完成这个请求。",
        "Lo siento, pero no puedo ayudarte con esa solicitud.\n",
        "<think>Not allowed.</think>I can't help with that. I",
    ],
)
def test_a_refusal_is_rejected_once_its_sentence_has_ended(text: str) -> None:
    assert read(text) == PrefixVerdict(PrefixKind.REJECT, "refusal")
    assert read(text[:-4]).kind is PrefixKind.UNDECIDED


@pytest.mark.parametrize(
    "text",
    [
        "I can't help with that without knowing your city. ",
        "\"I can't help with that. ",
        "<think>I can't help with that. ",
        "<thi",
        "",
    ],
)
def test_what_may_still_be_an_answer_is_not_rejected(text: str) -> None:
    assert read(text).kind is not PrefixKind.REJECT


def test_an_answer_that_may_still_call_a_tool_is_not_rejected() -> None:
    refusal = "I'm sorry, but I can't assist with that. "

    assert read(refusal, tools=(Tool("clock"),)).kind is PrefixKind.UNDECIDED
    assert read(refusal, has_tool_calls=True) == PrefixVerdict(PrefixKind.ACCEPT, "tool_calls", is_settled=True)


def test_a_long_answer_is_settled_however_it_begins() -> None:
    assert read("I can't help with that part. " + "x" * MAX_REFUSAL_CHARACTERS).is_settled


def test_no_beginning_of_a_recorded_answer_is_settled_against_its_whole() -> None:
    path = os.environ.get("SPECROUTE_OUTCOMES")
    if not path or not Path(path).is_file():
        pytest.skip("SPECROUTE_OUTCOMES names no file of recorded outcomes.")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table(path, columns=["mini_response", "large_response"]).to_pylist()
    texts = sorted({text for row in rows for text in row.values() if text})
    sampled = texts[:: max(1, len(texts) // SAMPLED_ANSWERS)] + [text for text in texts if is_refusal(text)]

    for text in sampled:
        for cut in range(0, min(len(text), 600) + 1):
            verdict = read(text[:cut])
            assert not (verdict.is_settled and is_refusal(text))
            if verdict.is_settled:
                break
