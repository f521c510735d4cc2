import pytest

from specroute.core.request import TextOutput
from specroute.learn.workload import is_correct
from specroute.load.cases import SIMULATED_TIERS, chosen, known_answers, workload_cases
from specroute.upstreams.simulated.answers import SimulatedAnswer
from specroute.upstreams.simulated.http.wire import ChatRequest
from specroute.upstreams.simulated.profile import AnswerKind


def test_all_tasks_are_cases_and_fewer_are_drawn_by_the_seed() -> None:
    every = workload_cases(None, seed=0)
    drawn = workload_cases(20, seed=1)
    assert len(every) > 300
    assert len({case.task.id for case in drawn}) == 20
    assert drawn == workload_cases(20, seed=1)
    assert drawn != workload_cases(20, seed=2)


def test_more_cases_than_there_are_is_refused_by_number() -> None:
    with pytest.raises(ValueError, match="--requests 4: there are 3 things; give at most that"):
        chosen("abc", 4, seed=0, what="things")


def test_a_simulated_answer_is_graded_as_it_was_meant() -> None:
    cases = workload_cases(None, seed=0)
    book = known_answers(cases, seed=0)
    for case in cases:
        for tier in SIMULATED_TIERS:
            kind = book.kind_of(tier.name, case.task.prompt)
            if kind not in (AnswerKind.CORRECT, AnswerKind.WRONG):
                continue
            answer = book.answer(ChatRequest(tier.name, case.task.prompt, "", input_bytes=4))
            assert isinstance(answer, SimulatedAnswer)
            assert is_correct(case.task, answer.text) is (kind is AnswerKind.CORRECT), case.task.id


def test_an_answer_under_an_output_contract_is_not_lengthened() -> None:
    cases = workload_cases(None, seed=0)
    book = known_answers(cases, seed=0)
    for case in cases:
        if (
            isinstance(case.task.output, TextOutput)
            or book.kind_of("large", case.task.prompt) is not AnswerKind.CORRECT
        ):
            continue
        answer = book.answer(ChatRequest("large", case.task.prompt, "", input_bytes=4))
        assert isinstance(answer, SimulatedAnswer)
        assert answer.text == case.task.right_answer
