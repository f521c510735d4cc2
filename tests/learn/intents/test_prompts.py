"""The labelled prompts that are learnt from and tested on."""

from __future__ import annotations

from collections import Counter

import pytest

from specroute.learn.intents.labels import RISK_DOMAINS, RISKS, TASK_TYPES, risk_domain_of, task_type_of
from specroute.learn.intents.prompts import InvalidPrompt, labelled_prompts, parse_prompt

LEAST_A_CLASS = 100


@pytest.mark.parametrize(
    ("name", "classes"), [("task_type", TASK_TYPES), ("risk", RISKS), ("risk_domain", RISK_DOMAINS)]
)
def test_every_class_has_a_hundred_prompts_to_learn_from(name: str, classes: tuple[str, ...]) -> None:
    counts = Counter(getattr(prompt, name) for prompt in labelled_prompts("train"))

    assert set(counts) == set(classes)
    assert min(counts.values()) >= LEAST_A_CLASS


@pytest.mark.parametrize(
    ("name", "classes"), [("task_type", TASK_TYPES), ("risk", RISKS), ("risk_domain", RISK_DOMAINS)]
)
def test_every_class_is_tested(name: str, classes: tuple[str, ...]) -> None:
    counts = Counter(getattr(prompt, name) for prompt in labelled_prompts("test"))

    assert set(counts) == set(classes)
    assert min(counts.values()) >= 40


def test_no_prompt_is_both_learnt_from_and_tested_on() -> None:
    learnt = {prompt.text.casefold() for prompt in labelled_prompts("train")}

    assert not learnt & {prompt.text.casefold() for prompt in labelled_prompts("test")}


def test_prompts_come_in_many_languages_and_high_risk_in_each_common_one() -> None:
    counts = Counter(prompt.language for prompt in labelled_prompts("train"))
    risky = Counter(prompt.language for prompt in labelled_prompts("train") if prompt.risk == "high")

    assert len(counts) >= 12
    assert all(risky[language] for language in ("en", "de", "fr", "es", "ru", "zh", "ar", "hi"))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{}", "missing required field"),
        ('{"text": "Hello", "task_type": "math", "risk": "low", "risk_domain": "", "language": "en"}', "is of 'chat'"),
        ('{"text": "Hello", "task_type": "chat", "risk": "huge", "risk_domain": "", "language": "en"}', "risk"),
    ],
)
def test_a_line_that_is_no_labelled_prompt_is_refused_with_its_place(line: str, problem: str) -> None:
    with pytest.raises(InvalidPrompt, match=rf"^train/chat\.jsonl:7: .*{problem}"):
        parse_prompt(line, "train/chat.jsonl:7", "chat")


def test_recorded_words_are_read_as_ours() -> None:
    assert (task_type_of("mcq10"), task_type_of("planning"), task_type_of("juggling")) == (
        "question_answering",
        "planning",
        "",
    )
    assert (risk_domain_of("clinical_knowledge"), risk_domain_of("astronomy"), risk_domain_of("")) == (
        "medicine",
        "",
        None,
    )
