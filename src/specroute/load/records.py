"""What is noted of each call under load, and of the run that they belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specroute.edge.client.aio import Answered, Receipt
    from specroute.load.cases import Case

OK = "OK"
DEADLINE = "DEADLINE_EXCEEDED"


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call that came to its end. Times are seconds since the start of the run.

    Attributes:
        index: place in the schedule.
        intended_s: when the schedule wanted it sent.
        sent_s: when it was sent; later where the generator could not keep up.
        first_token_s: the first delta that was not taken back; ``None``: not streamed, or none came.
        done_s: when the whole answer, or the status that it failed with, was there.
        status: ``OK``, else ``ErrorInfo.reason`` or, where the server gave none, the name of the status code.
        answer: ``None`` where the call failed.
        receipt: ``None`` only where the call failed before anything was decided, or the server could not say.
        is_right, is_from_its_tier: as the case says; false and true where the call failed.
    """

    index: int
    case: Case
    intended_s: float
    sent_s: float
    first_token_s: float | None
    done_s: float
    status: str
    answer: Answered | None
    receipt: Receipt | None
    is_right: bool
    is_from_its_tier: bool

    @property
    def latency_s(self) -> float:
        """Seconds from the moment at which it was meant to be sent: what a user who asked then has waited."""
        return self.done_s - self.intended_s

    @property
    def ttft_s(self) -> float | None:
        """Seconds from the same moment to the first token that lasted."""
        return None if self.first_token_s is None else self.first_token_s - self.intended_s

    @property
    def service_s(self) -> float:
        """Seconds from the moment at which it was sent: less than the latency where the generator was late."""
        return self.done_s - self.sent_s

    @property
    def lateness_s(self) -> float:
        """How much later than intended it was sent, in seconds, >= 0 but for the clock's resolution."""
        return self.sent_s - self.intended_s


@dataclass(frozen=True, slots=True)
class LoadRun:
    """What came of one schedule.

    Attributes:
        records: the calls that came to their end, in the order of the schedule.
        intended: calls in the schedule.
        not_sent: calls left out because ``max_in_flight`` others were still running.
        unfinished: calls that were given up when the run was stopped.
        is_partial: whether it was stopped before its end.
        cpu_share: processor time of the generator's thread as a share of the run's length, in [0, 1].
    """

    records: list[CallRecord]
    intended: int
    not_sent: int = 0
    unfinished: int = 0
    is_partial: bool = False
    cpu_share: float = 0.0

    def after(self, start_s: float, skipped: int) -> LoadRun:
        """Returns the run without its first ``skipped`` calls, which were for warming up, its clock set to ``start_s``.

        Calls that were not sent or not finished count as calls of what remains.
        """
        kept = [
            replace(
                record,
                index=record.index - skipped,
                intended_s=record.intended_s - start_s,
                sent_s=record.sent_s - start_s,
                first_token_s=None if record.first_token_s is None else record.first_token_s - start_s,
                done_s=record.done_s - start_s,
            )
            for record in self.records
            if record.index >= skipped
        ]
        return replace(self, records=kept, intended=self.intended - skipped)
