"""What came back: chunks of an answer, verdicts on it, attempts with their ends, and the decision that keeps it all.

Inside a race a failure is a value: an attempt always ends in one ``AttemptEnd`` with a reason, never in an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.core.deadline import Deadline
    from specroute.core.plan import Plan, Prediction, Profile
    from specroute.core.request import ToolCall
    from specroute.core.stream import Commit


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one attempt. ``cached_input_tokens`` are part of ``input_tokens``, reasoning of ``output_tokens``."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0


class FinishReason(Enum):
    """Why a model stopped."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call: the pieces of one ``index`` are joined; id and name come once."""

    index: int
    id: str = ""
    name: str = ""
    arguments_json: str = ""


class Chunk(NamedTuple):
    """Everything that one read from an upstream brought: several events in one value, each part may be empty.

    ``logprobs`` are the natural-log probabilities of the tokens in ``text``, where they were asked for. A tuple, as one
    is made for every token that streams in.
    """

    text: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    model: str = ""
    logprobs: tuple[float, ...] = ()

    @property
    def has_content(self) -> bool:
        """Whether it carries a part of the answer."""
        return bool(self.text or self.tool_calls)


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer as one upstream gave it.

    Attributes:
        model: as the upstream reported it, or the configured name.
        usage: what the upstream reported; ``None``: it reported nothing.
        logprobs: natural-log probabilities of the answer's tokens, in order; empty: not given.
    """

    text: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: FinishReason
    model: str
    usage: Usage | None = None
    logprobs: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Prefix:
    """What has come of an answer so far.

    Attributes:
        has_tool_calls: whether a part of a tool call has come.
        logprobs: of the tokens of ``text``, as in ``Completion``.
        tokens: output tokens, counted from the text and the tool calls: UTF-8 bytes / 4, rounded up.
    """

    text: str
    has_tool_calls: bool = False
    logprobs: Sequence[float] = ()
    tokens: int = 0


class VerdictKind(Enum):
    """A validator's three-valued judgement."""

    ACCEPT = "accept"
    REJECT = "reject"
    ABSTAIN = "abstain"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One validator's judgement of one answer, with its reason in snake_case.

    ``prefix_tokens``: how much of the answer had come when it was given; ``None``: all of it.
    """

    validator: str
    kind: VerdictKind
    reason: str
    p_accept: float | None = None
    prefix_tokens: int | None = None


class PrefixKind(Enum):
    """What a validator can say of the beginning of an answer.

    ACCEPT: nothing speaks against it so far. REJECT: it is to be rejected now. UNDECIDED: it has to see more.
    """

    ACCEPT = "accept"
    REJECT = "reject"
    UNDECIDED = "undecided"


class PrefixVerdict(NamedTuple):
    """One validator's judgement of the beginning of an answer, with its reason in snake_case.

    ``is_settled`` goes with ACCEPT: no continuation can make this validator reject, except for a reason that only the
    end of an answer can show (its ``end_reasons``). A settled validator is not asked again about this answer.
    """

    kind: PrefixKind
    reason: str
    is_settled: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """All verdicts on one answer, combined.

    Attributes:
        verdicts: in the order the validators ran; it ends with the first rejection by a contract validator.
        rejected_by: the verdict that decides against the answer; ``None``: accepted.
        only_quality: the answer keeps its contract and only quality checks rejected it, so that it may be delivered as
            degraded when nothing better comes.
        only_end: as ``only_quality``, or what is wrong is a thing that only the end of an answer shows (it was cut
            off), so that a stream whose winner was fixed before may still end with it, as degraded.
        text: the answer as it is to be delivered (a JSON answer without its Markdown fence).
    """

    verdicts: tuple[Verdict, ...]
    text: str
    rejected_by: Verdict | None = None
    only_quality: bool = False
    only_end: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the answer may win."""
        return self.rejected_by is None


class AttemptEnd(Enum):
    """How an attempt ended. A cancelled loser is neither a success nor a failure."""

    WON = "won"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    NOT_LAUNCHED = "not_launched"


class CostBasis(Enum):
    """How sure the cost is: reported by the upstream, counted by us, or bounded from both sides."""

    METERED = "metered"
    COUNTED = "counted"
    BOUNDED = "bounded"


@dataclass(frozen=True, slots=True)
class AttemptCost:
    """The money of one attempt in nano-USD: ``low`` <= ``best`` <= ``high``."""

    basis: CostBasis | None = None
    best_nano_usd: int = 0
    low_nano_usd: int = 0
    high_nano_usd: int = 0


NO_COST = AttemptCost()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to one upstream within a leg, and its end. Times are seconds.

    Attributes:
        upstream: its name; "" for a leg that was never launched.
        leg: index into the plan's legs; an escalation has the index after the last.
        launched_after_s: since the request arrived.
        time_to_first_token_s: since launch; ``None``: no token came.
        ended_after_s: since the request arrived.
        reason: why it ended so: http_429, reset, idle_timeout, refusal, lost_race ...; "" for a winner.
        cancel_latency_s: from the verdict to the transport being closed; ``None``: not cancelled.
    """

    tier: str
    upstream: str
    model: str
    leg: int
    speculative: bool
    end: AttemptEnd
    reason: str = ""
    launched_after_s: float = 0.0
    time_to_first_token_s: float | None = None
    ended_after_s: float = 0.0
    verdicts: tuple[Verdict, ...] = ()
    usage: Usage | None = None
    cost: AttemptCost = NO_COST
    cancel_latency_s: float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether its answer came to its end and was judged."""
        return bool(self.verdicts) and all(verdict.prefix_tokens is None for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class MoneySummary:
    """What a request cost, in nano-USD; ``saved`` = always_large_estimate - delivered - waste, may be negative."""

    delivered_nano_usd: int = 0
    waste_nano_usd: int = 0
    always_large_estimate_nano_usd: int = 0

    @property
    def saved_nano_usd(self) -> int:
        """Net of waste, against sending the request to the strongest tier."""
        return self.always_large_estimate_nano_usd - self.delivered_nano_usd - self.waste_nano_usd


@dataclass(frozen=True, slots=True)
class Delivery:
    """The answer that goes to the caller, and who gave it."""

    completion: Completion
    text: str
    tier: str
    upstream: str
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The full record of one request: what was seen, predicted, planned, run, judged and paid.

    Attributes:
        received_time_s: wall-clock seconds since the Unix epoch, for the record only.
        output_tokens: of the cheapest tier's answer, as predicted, or where nothing is predicted as configured.
        profile: what the request is, by its hints and where it has none by what was inferred.
        used_s: seconds from arrival to the end.
        timings_s: our own overhead, stage -> seconds.
        commit: when the winner of a stream was fixed; ``None``: it was not, or the answer was not streamed.
    """

    request_id: str
    received_time_s: float
    input_tokens: int
    output_tokens: int
    profile: Profile
    prediction: Prediction
    plan: Plan
    deadline: Deadline
    attempts: tuple[Attempt, ...] = ()
    money: MoneySummary = MoneySummary()
    used_s: float = 0.0
    timings_s: tuple[tuple[str, float], ...] = ()
    commit: Commit | None = None
