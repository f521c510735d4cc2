"""What a run puts in line for its reader, and how it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from specroute.core.outcome import Chunk, Completion, FinishReason
from specroute.core.plan import Leg
from specroute.core.request import JsonObjectOutput, ToolCall
from specroute.core.stream import CommitReason, Committed, DeliveryMode, Delta, Superseded
from specroute.engine.leg.transcript import Transcript
from specroute.engine.streaming.outlet import MAX_DELTA_CHARACTERS, Outlet
from tests.fakes import BUILT_IN_VALIDATORS, FakeReader, on_virtual_clock, request_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.core.request import Output
    from specroute.core.stream import StreamEvent
    from specroute.validators.judge import ConfiguredValidator

LEGS = (Leg("mini"), Leg("large"))
PROVISIONAL = DeliveryMode.PROVISIONAL
WON = CommitReason.VALIDATED


class Run:
    """An outlet with the transcripts of two legs and a reader."""

    def __init__(
        self,
        mode: DeliveryMode = DeliveryMode.COMMITTED,
        *,
        output: Output | None = None,
        validators: Sequence[ConfiguredValidator] = BUILT_IN_VALIDATORS,
        reader: FakeReader | None = None,
    ) -> None:
        self.reader = reader or FakeReader()
        self.outlet = Outlet(self.reader, mode, request=request_of(output=output), legs=LEGS, validators=validators)
        self.transcripts = [Transcript(leg.tier) for leg in LEGS]

    def says(self, leg: int, text: str) -> None:
        """A chunk of a leg comes and is shown as far as it may be."""
        self.transcripts[leg].add(Chunk(text))
        if leg == self.outlet.committed_leg:
            self.outlet.forward(leg, text)
        else:
            self.outlet.heard(leg, self.transcripts[leg])
            self.outlet.show(leg)

    def calls_anew(self, leg: int) -> None:
        self.transcripts[leg] = Transcript(LEGS[leg].tier)

    def reads(self) -> list[StreamEvent]:
        """Writes what is in line; returns all that the reader has."""
        on_virtual_clock(self.outlet.flush)
        return self.reader.events


# --- committed and held back --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [DeliveryMode.COMMITTED, DeliveryMode.HOLD_BACK])
def test_nothing_is_shown_before_the_commit(mode: DeliveryMode) -> None:
    run = Run(mode)
    run.says(0, "Paris")

    assert not run.outlet.has_news
    assert not run.outlet.has_shown(0)
    assert run.reads() == []


def test_the_commit_is_followed_by_all_that_was_held_as_one_delta() -> None:
    run = Run()
    for text in ("Par", "is ", "is it"):
        run.says(0, text)

    run.outlet.commit(0, WON)

    assert run.reads() == [Committed(0, "mini", WON), Delta(0, "Paris is it")]


def test_after_the_commit_each_part_goes_out_as_it_comes() -> None:
    run = Run()
    run.says(0, "Paris")
    run.outlet.commit(0, WON)
    run.reads()

    run.says(0, " is")
    run.reads()
    run.says(0, " it")

    assert run.reads()[1:] == [Delta(0, "Paris"), Delta(0, " is"), Delta(0, " it")]


def test_nothing_of_another_leg_is_shown_after_the_commit() -> None:
    run = Run(PROVISIONAL)
    run.says(1, "Paris")
    run.outlet.commit(1, WON)

    run.says(0, "Rome")

    assert run.reads()[1:] == [Committed(1, "large", WON)]
    assert run.outlet.tokens(0) == 1, "it is heard all the same"


# --- provisional --------------------------------------------------------------------------------------------------


def test_provisional_text_stands_after_the_commit_and_is_not_sent_again() -> None:
    run = Run(PROVISIONAL)
    run.says(0, "Paris")
    run.outlet.commit(0, WON)
    run.says(0, " is it")

    assert run.reads() == [Delta(0, "Paris", provisional=True), Committed(0, "mini", WON), Delta(0, " is it")]


def test_the_commit_takes_back_what_others_showed_and_only_that() -> None:
    run = Run(PROVISIONAL)
    run.says(0, "Rome")
    run.outlet.heard(1, run.transcripts[1])

    run.outlet.commit(1, WON)

    assert run.reads()[1:] == [Superseded(0, "lost_race"), Committed(1, "large", WON)]


def test_what_was_taken_back_is_not_taken_back_again() -> None:
    run = Run(PROVISIONAL)
    run.says(0, "Rome")
    run.outlet.supersede(0, "refusal")
    run.outlet.supersede(0, "refusal")
    run.says(1, "Paris")
    run.outlet.commit(1, WON)

    assert run.reads() == [
        Delta(0, "Rome", provisional=True),
        Superseded(0, "refusal"),
        Delta(1, "Paris", provisional=True),
        Committed(1, "large", WON),
    ]


def test_a_leg_that_showed_nothing_is_not_taken_back() -> None:
    run = Run()
    run.says(0, "Rome")
    run.outlet.supersede(0, "refusal")

    assert run.reads() == []


# --- what becomes one event, and what several ---------------------------------------------------------------------


def test_deltas_that_were_not_written_yet_become_one() -> None:
    run = Run(PROVISIONAL)
    run.says(0, "Par")
    run.says(0, "is")

    assert run.reads() == [Delta(0, "Paris", provisional=True)]


def test_deltas_of_two_legs_stay_apart_and_in_order() -> None:
    run = Run(PROVISIONAL)
    for leg, text in ((0, "a"), (1, "b"), (0, "c")):
        run.says(leg, text)

    assert [(event.leg, event.text) for event in run.reads() if isinstance(event, Delta)] == [
        (0, "a"),
        (1, "b"),
        (0, "c"),
    ]


def test_what_has_been_written_is_not_written_again_with_more() -> None:
    run = Run(PROVISIONAL)
    run.says(0, "Par")
    run.reads()
    run.says(0, "is")

    assert run.reads() == [Delta(0, "Par", provisional=True), Delta(0, "is", provisional=True)]


@pytest.mark.parametrize("size", [MAX_DELTA_CHARACTERS, 2 * MAX_DELTA_CHARACTERS, 2 * MAX_DELTA_CHARACTERS + 1])
def test_a_large_text_goes_out_in_parts_of_bounded_size(size: int) -> None:
    text = "".join(chr(ord("a") + number % 26) for number in range(size))
    run = Run()
    run.says(0, text)
    run.outlet.commit(0, WON)

    deltas = [event.text for event in run.reads() if isinstance(event, Delta)]

    assert "".join(deltas) == text
    assert len(deltas) == -(-size // MAX_DELTA_CHARACTERS)


def test_merged_deltas_stay_within_the_bound() -> None:
    run = Run(PROVISIONAL)
    run.says(0, "a" * (MAX_DELTA_CHARACTERS - 1))
    run.says(0, "bc")

    sizes = [len(event.text) for event in run.reads() if isinstance(event, Delta)]

    assert sizes == [MAX_DELTA_CHARACTERS - 1, 2]


def test_a_large_part_of_a_committed_answer_is_split_too() -> None:
    run = Run()
    run.says(0, "a")
    run.outlet.commit(0, WON)
    run.says(0, "b" * (3 * MAX_DELTA_CHARACTERS))

    sizes = [len(event.text) for event in run.reads() if isinstance(event, Delta)]

    assert max(sizes) <= MAX_DELTA_CHARACTERS
    assert sum(sizes) == 1 + 3 * MAX_DELTA_CHARACTERS


# --- the end ------------------------------------------------------------------------------------------------------


def completion(text: str, *calls: ToolCall) -> Completion:
    return Completion(text, calls, FinishReason.STOP, "mini-model")


def test_the_end_shows_what_is_left_of_the_text_then_each_tool_call_whole() -> None:
    run = Run(output=JsonObjectOutput())
    run.says(0, "```json\n{}")
    run.outlet.commit(0, WON)
    calls = (ToolCall("c1", "add", "{}"), ToolCall("c2", "add", "{}"))

    run.outlet.complete(0, completion("```json\n{}\n```", *calls), "{}\n")

    assert run.reads()[1:] == [Delta(0, "{}\n"), Delta(0, tool_call=calls[0]), Delta(0, tool_call=calls[1])]


def test_text_is_not_put_to_a_tool_call() -> None:
    run = Run()
    run.says(0, "Let me see.")
    run.outlet.commit(0, WON)
    call = ToolCall("c1", "add", "{}")
    run.outlet.complete(0, completion("Let me see.", call), "Let me see.")

    assert run.reads()[1:] == [Delta(0, "Let me see."), Delta(0, tool_call=call)]


def test_a_fence_is_in_no_delta_where_the_contract_is_checked() -> None:
    run = Run(output=JsonObjectOutput())
    run.says(0, "``")
    run.outlet.commit(0, WON)
    for text in ("`json", "\n", '{"a":', " 1}", "\n`", "``"):
        run.says(0, text)
        run.reads()
    run.outlet.complete(0, completion('```json\n{"a": 1}\n```'), '{"a": 1}')

    assert run.reads()[1:] == [Delta(0, '{"a":'), Delta(0, " 1}")]


def test_where_the_contract_is_not_checked_nothing_is_taken_off() -> None:
    run = Run(output=JsonObjectOutput(), validators=())
    run.says(0, "```json\n{}\n```")
    run.outlet.commit(0, WON)

    assert run.reads()[1:] == [Delta(0, "```json\n{}\n```")]


# --- how much was delivered ---------------------------------------------------------------------------------------


def test_without_a_commit_nothing_was_delivered() -> None:
    run = Run(PROVISIONAL)
    run.says(0, "Paris")
    run.reads()

    assert run.outlet.delivered() is None


def test_what_was_delivered_is_counted_in_bytes_and_in_tokens_of_four_bytes() -> None:
    run = Run()
    run.says(1, "Zürich")
    run.outlet.commit(1, WON)
    run.reads()

    delivered = run.outlet.delivered()

    assert delivered is not None
    assert (delivered.leg, delivered.tier, delivered.output_bytes, delivered.tokens) == (1, "large", 7, 2)


def test_a_fence_that_was_left_out_is_not_counted_as_delivered() -> None:
    run = Run(output=JsonObjectOutput())
    run.says(0, '```json\n{"a": 1}')
    run.outlet.commit(0, WON)
    run.reads()

    delivered = run.outlet.delivered()

    assert delivered is not None
    assert delivered.output_bytes == len('{"a": 1}')


def test_a_commit_before_any_text_has_delivered_nothing_yet() -> None:
    run = Run()
    run.outlet.heard(0, run.transcripts[0])
    run.outlet.commit(0, WON)
    run.reads()

    delivered = run.outlet.delivered()

    assert delivered is not None
    assert (delivered.output_bytes, delivered.tokens) == (0, 0)


def test_a_new_call_of_a_leg_is_shown_from_its_beginning() -> None:
    run = Run()
    run.says(0, "Rome is")
    run.calls_anew(0)
    run.says(0, "Paris")
    run.outlet.commit(0, WON)

    assert run.reads()[1:] == [Delta(0, "Paris")]


# --- writing ------------------------------------------------------------------------------------------------------


def test_two_tasks_never_write_at_once_and_the_order_holds() -> None:
    run = Run(PROVISIONAL, reader=FakeReader(pace_s=1.0))  # which asserts that it is called by one at a time
    run.says(0, "a")
    run.says(1, "b")

    async def write() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(run.outlet.flush)
            await anyio.sleep(0.5)
            assert run.outlet.is_writing
            run.says(1, "c")

    on_virtual_clock(write)

    assert run.reader.story == ["1 delta 0 'a' provisional", "2 delta 1 'bc' provisional"]
    assert not run.outlet.is_writing
    assert not run.outlet.has_news


def test_while_a_delta_is_being_written_the_next_ones_become_one() -> None:
    run = Run(PROVISIONAL, reader=FakeReader(pace_s=1.0))
    run.says(0, "a")

    async def write() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(run.outlet.flush)
            for text in ("b", "c", "d"):
                await anyio.sleep(0.1)
                run.says(0, text)

    on_virtual_clock(write)

    assert run.reader.story == ["1 delta 0 'a' provisional", "2 delta 0 'bcd' provisional"]


def test_nothing_is_written_once_nobody_reads() -> None:
    run = Run(PROVISIONAL, reader=FakeReader(leaves_after=1))
    for leg, text in ((0, "a"), (1, "b"), (0, "c")):
        run.says(leg, text)

    events = run.reads()

    assert events == [Delta(0, "a", provisional=True)]
    assert not run.outlet.has_reader
    assert run.reads() == events


def test_a_shielded_write_is_not_cut_off_by_a_cancellation() -> None:
    run = Run(PROVISIONAL, reader=FakeReader(pace_s=1.0))
    run.says(0, "Paris")

    async def write() -> None:
        with anyio.move_on_after(0.5):
            await run.outlet.flush(shielded=True)

    on_virtual_clock(write)

    assert run.reader.story == ["1 delta 0 'Paris' provisional"]
    assert not run.outlet.is_writing


def test_a_cancellation_ends_the_writing_with_the_event_that_it_meets() -> None:
    run = Run(PROVISIONAL, reader=FakeReader(pace_s=1.0))
    for leg, text in ((0, "a"), (1, "b"), (0, "c")):
        run.says(leg, text)

    async def write() -> None:
        with anyio.move_on_after(1.5):
            await run.outlet.flush(shielded=True)

    on_virtual_clock(write)

    assert run.reader.story == ["1 delta 0 'a' provisional", "2 delta 1 'b' provisional"]
    assert run.outlet.has_news, "what was not written is still in line"


def test_nothing_is_written_after_a_write_that_was_cut_off() -> None:
    run = Run(PROVISIONAL, reader=FakeReader(pace_s=1.0))
    for leg, text in ((0, "a"), (1, "b")):
        run.says(leg, text)

    async def write() -> None:
        with anyio.move_on_after(0.5):
            await run.outlet.flush()
        await run.outlet.flush()

    on_virtual_clock(write)

    assert run.reader.story == []
    assert not run.outlet.has_news
    assert run.outlet.has_reader, "it was not the reader's fault"
