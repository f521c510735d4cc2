"""What the caller of a stream sees: how the answer is delivered, the events, and the moment the winner is fixed.

The order of a stream is: ``Decided``; deltas; at most one ``Committed``, after which only deltas of that leg follow;
then the whole answer, or a typed status. In PROVISIONAL delivery deltas may come before the commit; ``Superseded``
takes back all that were sent of a leg, and nothing of that leg follows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from specroute.core.outcome import Decision
    from specroute.core.request import ToolCall


class DeliveryMode(Enum):
    """When a caller is shown text.

    COMMITTED: from the moment the winner is fixed. HOLD_BACK: from then on, or once a window has passed and the checks
    on what it held are satisfied. PROVISIONAL: at once, as provisional, and taken back where that leg loses.
    """

    COMMITTED = "committed"
    HOLD_BACK = "hold_back"
    PROVISIONAL = "provisional"


@dataclass(frozen=True, slots=True)
class DeliveryWish:
    """How the caller wants a stream delivered.

    Attributes:
        hold_tokens: HOLD_BACK only, > 0: output tokens (UTF-8 bytes / 4) that a leg's window holds.
        hold_s: HOLD_BACK only, > 0: seconds from the leg's first token that the window lasts. Whichever comes first;
            ``None``: not bounded by it.
    """

    mode: DeliveryMode = DeliveryMode.COMMITTED
    hold_tokens: int | None = None
    hold_s: float | None = None


class CommitReason(Enum):
    """Why the winner was fixed when it was.

    NOTHING_STRONGER: no other leg could answer any more, so waiting could not have changed the winner.
    PREFIX_SETTLED: no continuation could have made a check reject the answer, but what only its end shows.
    HELD_BACK: the caller's window had passed and the checks were satisfied so far; the measured error allowed it.
    VALIDATED: the whole answer had been judged.
    """

    NOTHING_STRONGER = "nothing_stronger"
    PREFIX_SETTLED = "prefix_settled"
    HELD_BACK = "held_back"
    VALIDATED = "validated"


@dataclass(frozen=True, slots=True)
class Commit:
    """The moment the winner of a stream was fixed.

    Attributes:
        after_s: since the request arrived.
        tokens: output tokens that had come by then, counted from the text.
        error_ratio: HELD_BACK only: the measured chance, in [0, 1], that such an answer is not accepted at its end.
        upheld: whether the whole answer was accepted in the end.
    """

    leg: int
    tier: str
    reason: CommitReason
    after_s: float
    tokens: int
    error_ratio: float | None = None
    upheld: bool = False


class Decided(NamedTuple):
    """First, exactly once: prediction and plan, no attempts yet."""

    decision: Decision


class Delta(NamedTuple):
    """A piece of the answer of one leg: text as it came, or a tool call, whole and only once it was accepted."""

    leg: int
    text: str = ""
    provisional: bool = False
    tool_call: ToolCall | None = None


class Superseded(NamedTuple):
    """Takes back every delta of ``leg``; ``reason``: why its attempt ended, in snake_case, or ``lost_race``."""

    leg: int
    reason: str


class Committed(NamedTuple):
    """The winner is fixed; provisional deltas of it stand."""

    leg: int
    tier: str
    reason: CommitReason


StreamEvent = Decided | Delta | Superseded | Committed


@dataclass(frozen=True, slots=True)
class Delivered:
    """How much of an answer had reached the caller when its stream broke: of the committed leg, in tokens and bytes."""

    leg: int
    tier: str
    tokens: int
    output_bytes: int
