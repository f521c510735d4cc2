"""Validators that ask elsewhere, and one that was trained: fakes that play a script on the virtual clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from specroute.core.outcome import Completion, Verdict, VerdictKind

if TYPE_CHECKING:
    from specroute.core.request import RouteRequest

ACCEPT, REJECT, ABSTAIN = VerdictKind.ACCEPT, VerdictKind.REJECT, VerdictKind.ABSTAIN


@dataclass(slots=True)
class Asked:
    """One question to a reviewer; instants in seconds of the clock."""

    tier: str
    text: str
    at_s: float
    ended_at_s: float | None = None
    cancelled: bool = False


@dataclass
class SlowReviewer:
    """Takes ``takes_s`` to say of an answer what ``says`` holds for a word in it; else it accepts.

    ``slow_on``: it takes that long only over an answer that holds this word.
    """

    takes_s: float = 0.0
    says: dict[str, VerdictKind] = field(default_factory=dict)
    is_contract: bool = False
    name: str = "safety"
    slow_on: str = ""
    asked: list[Asked] = field(default_factory=list)

    async def review(self, request: RouteRequest, completion: Completion, *, tier: str) -> Verdict:
        question = Asked(tier, completion.text, anyio.current_time())
        self.asked.append(question)
        try:
            await anyio.sleep(self.takes_s if self.slow_on in completion.text else 0.0)
        except anyio.get_cancelled_exc_class():
            question.cancelled = True
            raise
        finally:
            question.ended_at_s = anyio.current_time()
        kind = next((kind for word, kind in self.says.items() if word in completion.text), ACCEPT)
        return Verdict(self.name, kind, f"{kind.value}ed")


class BrokenReviewer:
    """Raises, whatever it is asked."""

    name = "broken"
    is_contract = False

    async def review(self, request: RouteRequest, completion: Completion, *, tier: str) -> Verdict:
        raise RuntimeError(completion.text)


class Learnt:
    """Trained, as it says: rejects every answer that does not say "sure", and keeps what it was asked about."""

    name = "verifier"
    is_contract = False
    is_learnt = True

    def __init__(self, kind: VerdictKind = REJECT) -> None:
        self._kind = kind
        self.asked: list[str] = []

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        self.asked.append(completion.text)
        is_sure = "sure" in completion.text
        return Verdict(self.name, ACCEPT if is_sure else self._kind, "sure" if is_sure else "unlikely", 0.25)
