from __future__ import annotations

import contextlib
import datetime
import io
import itertools
import json
import math
from collections import Counter
from typing import TYPE_CHECKING

import jsonschema_rs
import pytest
import re2

from specroute.core.outcome import Completion, FinishReason, VerdictKind
from specroute.core.request import (
    ChoicesOutput,
    JsonObjectOutput,
    JsonSchemaOutput,
    RegexOutput,
    Role,
    TextOutput,
)
from specroute.learn.workload import Task, is_correct, load_workload, to_request
from specroute.learn.workload.checks import ExactCheck, JsonCheck, NumberCheck
from specroute.learn.workload.workload import TASK_TYPES, InvalidWorkload, parse_tasks
from specroute.validators.quality.consistent import Consistent
from specroute.validators.registry import BUILT_IN

if TYPE_CHECKING:
    from specroute.core.request import Output

TASKS = load_workload()
LINE = {
    "id": "math-900",
    "difficulty": 1,
    "task_type": "math",
    "prompt": "1 + 1?",
    "right_answer": "2",
    "wrong_answer": "3",
    "check": {"type": "number", "value": 2},
}
FORMULA_WORDS = {
    **{name: getattr(math, name) for name in ("comb", "factorial", "prod", "ceil", "floor", "sqrt")},
    **{name: getattr(itertools, name) for name in ("permutations", "combinations", "product")},
    "date": datetime.date,
    "datetime": datetime.datetime,
    "timedelta": datetime.timedelta,
}


def keeps_contract(output: Output, answer: str) -> bool:
    match output:
        case TextOutput():
            return bool(answer.strip())
        case JsonObjectOutput():
            return isinstance(json.loads(answer), dict)
        case JsonSchemaOutput(schema=schema):
            return bool(jsonschema_rs.is_valid(json.loads(schema), json.loads(answer)))
        case RegexOutput(pattern=pattern):
            return re2.fullmatch(pattern, answer) is not None
        case ChoicesOutput(values=values):
            return answer in values


def with_program(task: Task) -> str | None:
    head, fence, rest = task.prompt.partition("```python\n")
    return rest.partition("\n```")[0] if fence and head else None


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_both_answers_keep_the_contract_and_only_the_right_one_is_correct(task: Task) -> None:
    assert keeps_contract(task.output, task.right_answer)
    assert keeps_contract(task.output, task.wrong_answer)
    assert is_correct(task, task.right_answer)
    assert not is_correct(task, task.wrong_answer)


@pytest.mark.parametrize("task", [task for task in TASKS if task.derivation], ids=lambda task: task.id)
def test_the_checked_value_can_be_recomputed(task: Task) -> None:
    derived = eval(task.derivation, dict(FORMULA_WORDS))

    match task.check:
        case NumberCheck(value=value):
            assert derived == pytest.approx(value, abs=1e-9)
        case ExactCheck(accepted=accepted):
            assert derived == accepted[0]
        case check:
            pytest.fail(f"{check} cannot be derived")


@pytest.mark.parametrize("task", [task for task in TASKS if with_program(task)], ids=lambda task: task.id)
def test_what_a_program_prints_is_what_it_really_prints(task: Task) -> None:
    program = with_program(task)
    assert program is not None
    printed = io.StringIO()

    with contextlib.redirect_stdout(printed):
        exec(program, {"__name__": "__main__"})

    assert printed.getvalue().strip() == task.right_answer


def test_the_services_own_validators_let_right_and_wrong_answers_pass_alike() -> None:
    # ``consistent`` computes again what an answer computes, and some of the wrong ones are wrong sums.
    validators = [create() for name, create in BUILT_IN.items() if name != Consistent.name]
    for task in TASKS:
        request = to_request(task, "demo-0")
        for answer in (task.right_answer, task.wrong_answer):
            completion = Completion(answer, (), FinishReason.STOP, "model")
            verdicts = [validator.judge(request, completion) for validator in validators]
            assert [verdict for verdict in verdicts if verdict.kind is VerdictKind.REJECT] == [], task.id


def test_every_calculation_is_backed_by_a_derivation() -> None:
    assert [task.id for task in TASKS if isinstance(task.check, NumberCheck) and not task.derivation] == []


def test_ids_and_prompts_are_unique_and_ids_name_the_task_type() -> None:
    assert len({task.id for task in TASKS}) == len(TASKS)
    assert len({" ".join(task.prompt.casefold().split()) for task in TASKS}) == len(TASKS)
    assert all(task.id.rpartition("-")[0] == task.task_type for task in TASKS)


def test_there_are_at_least_three_hundred_tasks_with_the_intended_spread_of_difficulty() -> None:
    counts = Counter(task.difficulty for task in TASKS)

    assert len(TASKS) >= 300
    for difficulty, share in {1: 0.25, 2: 0.25, 3: 0.20, 4: 0.15, 5: 0.15}.items():
        assert counts[difficulty] / len(TASKS) == pytest.approx(share, abs=0.03)


def test_every_kind_of_task_output_and_risk_occurs_several_times() -> None:
    task_types = Counter(task.task_type for task in TASKS)
    outputs = Counter(task.output.kind for task in TASKS)
    risks = Counter(task.risk for task in TASKS)

    assert set(task_types) == set(TASK_TYPES)
    assert min(task_types.values()) >= 10
    assert set(outputs) == {"text", "json_object", "json_schema", "regex", "choices"}
    assert min(outputs.values()) >= 8
    assert len(risks) == 4


def test_most_prompts_are_english_and_seven_other_languages_take_part() -> None:
    languages = Counter(task.language for task in TASKS)

    assert languages["en"] > len(TASKS) / 2
    assert {language for language, count in languages.items() if count >= 7} == {
        "en",
        "de",
        "es",
        "fr",
        "zh",
        "ar",
        "hi",
        "ru",
    }


def test_no_expected_json_is_empty_so_that_every_check_can_fail() -> None:
    assert all(task.check.expected for task in TASKS if isinstance(task.check, JsonCheck))


def test_a_request_carries_what_a_caller_would_send() -> None:
    task = next(task for task in TASKS if task.system and task.risk)

    request = to_request(task, "demo-1")

    assert request.request_id == "demo-1"
    assert [message.role for message in request.messages] == [Role.SYSTEM, Role.USER]
    assert request.last_user_text == task.prompt
    assert request.output == task.output
    assert (request.hints.task_type, request.hints.risk) == (task.task_type, task.risk)
    assert request.labels == {"task": task.id, "difficulty": str(task.difficulty), "language": task.language}


def test_a_task_without_system_message_is_sent_as_one_message() -> None:
    task = next(task for task in TASKS if not task.system)

    assert [message.role for message in to_request(task, "demo-2").messages] == [Role.USER]


def test_a_request_holds_the_prompt_and_nothing_of_the_answer() -> None:
    for task in TASKS:
        request = to_request(task, "demo-3")
        assert [message.content for message in request.messages] == [
            part for part in (task.system, task.prompt) if part
        ]


def test_a_sound_line_becomes_a_task() -> None:
    (task,) = parse_tasks(json.dumps(LINE), "extra.jsonl")

    assert (task.id, task.output, task.risk, task.language) == ("math-900", TextOutput(), None, "en")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"difficulty": 6}, "<= 5"),
        ({"prompt": ""}, "length >= 1"),
        ({"surprise": 1}, "surprise"),
        ({"risk": "extreme"}, "extreme"),
        ({"task_type": "poetry"}, "poetry"),
        ({"output": {"type": "xml"}}, "xml"),
        ({"output": {"type": "regex", "pattern": "(?<=a)b"}}, "not an RE2 pattern"),
        ({"output": {"type": "choices", "values": ["2"]}}, "length >= 2"),
        ({"right_answer": "5"}, "right answer fails"),
        ({"wrong_answer": "2.0"}, "wrong answer passes"),
    ],
)
def test_a_damaged_line_is_refused_with_file_line_and_reason(change: dict[str, object], reason: str) -> None:
    lines = json.dumps(LINE) + "\n" + json.dumps(LINE | change)

    with pytest.raises(InvalidWorkload, match=r"^extra\.jsonl:2: ") as raised:
        list(parse_tasks(lines, "extra.jsonl"))

    assert reason in str(raised.value)
