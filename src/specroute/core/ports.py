"""The seams: what the engine needs from the outside, owned by the engine's side.

Implementations say how (``OpenAIHttpUpstream``, ``OnnxPredictor``, ``PrometheusMetrics``); tests use typed fakes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from specroute.core.outcome import Chunk, Completion, Decision, Prefix, PrefixVerdict, Verdict
    from specroute.core.plan import Prediction
    from specroute.core.request import RouteRequest
    from specroute.core.stream import StreamEvent


class Upstream(Protocol):
    """One callable endpoint serving a tier."""

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        ...

    @property
    def model(self) -> str:
        """The model it is asked for."""
        ...

    def stream(self, request: RouteRequest) -> AsyncGenerator[Chunk, None]:
        """Calls the endpoint and yields what each read brings, until the answer is whole.

        The generator ends normally only after a whole answer: the last chunks carried its finish reason. Closing or
        cancelling it closes the transport at once, without awaiting anything.

        Raises:
            UpstreamError: the call failed; nothing else escapes but cancellation.
        """
        ...


class Predictor(Protocol):
    """Scores a request; never raises, never awaits."""

    @property
    def version(self) -> str:
        """What its predictions carry as ``model_version``."""
        ...

    def predict(self, request: RouteRequest) -> Prediction:
        """Returns the calibrated chance of each tier, or a prediction that says why there is none."""
        ...


class Validator(Protocol):
    """Judges a whole answer. A user's own validator implements just this.

    ``name`` is what the configuration and the verdicts call it. ``is_contract`` tells whether an answer that it rejects
    may never be delivered (true), or only not win (false: a quality check; the answer may still be delivered as
    degraded when nothing better comes).
    """

    name: str
    is_contract: bool

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        """Returns ACCEPT, REJECT or ABSTAIN with a snake_case reason; pure, bounded in time, does not raise."""
        ...


class LearntValidator(Validator, Protocol):
    """A validator that was trained on the answers of tiers that have a stronger one behind them.

    Where ``is_learnt`` is true it judges only those: not the answers of DIRECT plans, and not of a plan's last leg. A
    validator without the attribute judges every answer.
    """

    is_learnt: bool


class AsyncValidator(Protocol):
    """Judges a whole answer by asking elsewhere; ``name`` and ``is_contract`` as in ``Validator``.

    It is asked after the validators, about an answer that they accepted; one with ``is_contract`` also about an answer
    that only quality checks rejected, because that may be delivered yet.
    """

    name: str
    is_contract: bool

    async def review(self, request: RouteRequest, completion: Completion, *, tier: str) -> Verdict:
        """Returns ACCEPT, REJECT or ABSTAIN with a snake_case reason about an answer of ``tier``.

        It has a timeout of its own and raises nothing; a cancellation passes through and closes what was opened.
        """
        ...


@runtime_checkable
class PrefixValidator(Protocol):
    """A validator that can also judge the beginning of an answer, so that a leg is cut off or committed early.

    A validator without this method is asked about whole answers only. ``end_reasons``: the reasons for which it may
    reject a whole answer although it had settled on its beginning, because only the end shows them.
    """

    end_reasons: frozenset[str]

    def judge_prefix(self, request: RouteRequest, prefix: Prefix) -> PrefixVerdict:
        """Returns what can be said of ``prefix``; pure, bounded in time, does not raise.

        Called again as the answer grows, at least each time that it has grown by an eighth.
        """
        ...


class EventSink(Protocol):
    """Where the events of one stream go."""

    @property
    def patience_s(self) -> float:
        """How long ``send`` waits for a slow reader before it gives up, in seconds, > 0."""
        ...

    async def send(self, event: StreamEvent) -> bool:
        """Hands over one event; waits while the reader is slow.

        Returns whether there is still a reader; after a send that was cancelled half-way there is none. Called by one
        task at a time.
        """
        ...


class Telemetry(Protocol):
    """Told of what happened; must not raise or block."""

    def leg_started(self, tier: str) -> None:
        """Counts a running attempt of a tier."""
        ...

    def leg_ended(self, tier: str) -> None:
        """Ends what ``leg_started`` began."""
        ...

    def refused(self, outcome: str) -> None:
        """Counts a request that ended before there was a plan; ``outcome``: the error's reason in lower case."""
        ...

    def decided(self, decision: Decision, outcome: str) -> None:
        """Records a finished request; ``outcome``: ok, degraded, cancelled or the error's reason in lower case."""
        ...
