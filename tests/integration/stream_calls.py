"""Streams as their callers see them, and a record of each that checks every event as it comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc

from tests.integration.reflection_client import SERVICE, Failed, ReflectionClient, ends, prompt_fields, words

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMITTED: dict[str, Any] = {"committed": {}}
PROVISIONAL: dict[str, Any] = {"provisional": {}}
HELD_FOR_EVER: dict[str, Any] = {"hold_back": {"tokens": 1_000_000}}


def open_stream(
    client: ReflectionClient,
    prompt: str,
    delivery: dict[str, Any],
    *,
    timeout_s: float | None = 30.0,
    **fields: Any,
) -> grpc.aio.UnaryStreamCall[bytes, Any]:
    """Starts a stream; ``fields`` are those of the ``RouteRequest`` beside its messages."""
    request = client.request({"request": prompt_fields(prompt) | fields} | delivery, "RouteStreamRequest")
    method: grpc.aio.UnaryStreamMultiCallable[bytes, Any] = client.channel.unary_stream(
        f"/{SERVICE}/RouteStream", response_deserializer=client.type("RouteStreamResponse").FromString
    )
    return method(request.SerializeToString(), timeout=timeout_s)


@dataclass
class StreamRecord:
    """What one stream told so far.

    Attributes:
        texts: by leg, all that was told of it; what was taken back too.
        superseded: by leg that was taken back, why.
        may_be_refused: whether the transport may refuse the stream before the service sees it, as gRPC does at random
            while a connection has more than half of the streams that it may have.
    """

    may_be_refused: bool = False

    decided: Any = None
    committed: Any = None
    completed: Any = None
    failed: Failed | None = None
    texts: dict[int, str] = field(default_factory=dict)
    superseded: dict[int, str] = field(default_factory=dict)
    deltas: int = 0

    def take(self, event: Any) -> str:
        """Takes note of an event and returns its name; fails where it may not come now, or not at all."""
        name = str(event.WhichOneof("event"))
        assert self.completed is None, f"{name} after completed"
        assert (self.decided is None) == (name == "decided"), f"{name} is out of order"
        match name:
            case "decided":
                self.decided = event.decided.decision
                assert not self.decided.attempts
            case "delta":
                self._take_delta(event.delta)
            case "superseded":
                assert self.committed is None, "taken back after the commit"
                assert event.superseded.leg in self.texts, "nothing was told of what is taken back"
                assert event.superseded.leg not in self.superseded, "taken back twice"
                assert event.superseded.reason
                self.superseded[event.superseded.leg] = event.superseded.reason
            case "committed":
                assert self.committed is None, "committed twice"
                assert event.committed.leg not in self.superseded, "the winner was taken back"
                assert self.standing_legs <= {event.committed.leg}, "another leg's text stands at the commit"
                self.committed = event.committed
            case "completed":
                assert self.committed is not None, "completed without a commit"
                self.completed = event.completed
            case _:
                raise AssertionError(f"{name} is no event of a stream")
        return name

    async def read(self, call: grpc.aio.UnaryStreamCall[bytes, Any]) -> str | None:
        """Reads one event and returns its name; ``None``: the stream is complete. Raises ``grpc.aio.AioRpcError``."""
        event = await call.read()
        if event is not grpc.aio.EOF:
            return self.take(event)
        assert self.completed is not None, "a stream ended well without its last event"
        return None

    async def read_until(self, call: grpc.aio.UnaryStreamCall[bytes, Any], name: str) -> None:
        """Reads until the event ``name`` has come."""
        while (got := await self.read(call)) != name:
            assert got is not None, f"the stream ended without {name}"

    async def read_all(self, client: ReflectionClient, call: grpc.aio.UnaryStreamCall[bytes, Any]) -> None:
        """Reads to the end, whatever it is, and checks the whole; a cancellation passes through."""
        try:
            while await self.read(call) is not None:
                pass
        except grpc.aio.AioRpcError as error:
            self.failed = client.failed(error)
        self.check_end()

    @property
    def standing_legs(self) -> set[int]:
        """The legs of which something was told and not taken back."""
        return set(self.texts) - set(self.superseded)

    @property
    def standing_text(self) -> str:
        """What was told and not taken back; of two legs at once only where no leg was committed."""
        return "".join(self.texts[leg] for leg in sorted(self.standing_legs))

    @property
    def reason(self) -> str:
        """Why the winner was fixed, in the proto's words without prefix; "": it was not."""
        if self.committed is None:
            return ""
        return words(self.committed.reason, self.committed, "reason").removeprefix("COMMIT_REASON_")

    @property
    def is_refused(self) -> bool:
        """Whether the transport refused the stream, so that the service never saw it."""
        failed = self.failed
        if failed is None or not self.may_be_refused or self.decided is not None:
            return False
        return failed.code is grpc.StatusCode.UNAVAILABLE and "RST_STREAM with error code 7" in failed.message

    def check_end(self) -> None:
        """Checks what holds of every stream that has ended, by its last event or by a status."""
        assert (self.completed is None) == (self.failed is not None), "one end, and only one"
        if self.completed is not None:
            self._check_completed()
        elif self.failed is not None and self.failed.code is not grpc.StatusCode.CANCELLED and not self.is_refused:
            self._check_failed(self.failed)

    def _take_delta(self, delta: Any) -> None:
        winner = None if self.committed is None else self.committed.leg
        assert delta.leg not in self.superseded, "text of a leg that was taken back"
        assert delta.provisional == (winner is None), "provisional before the commit, and only then"
        assert winner in (None, delta.leg), "text of another leg than the winner"
        assert delta.text or delta.HasField("tool_call"), "an empty delta"
        self.texts[delta.leg] = self.texts.get(delta.leg, "") + delta.text
        self.deltas += 1

    def _check_completed(self) -> None:
        reply, winner = self.completed, self.committed
        assert reply.output.text == self.standing_text
        assert (reply.tier, reply.request_id) == (winner.tier, self.decided.request_id)
        self._check_commit(reply.decision)
        delivered = [attempt for attempt in reply.decision.attempts if attempt.leg == winner.leg][-1]
        assert (delivered.tier, delivered.upstream, delivered.model) == (reply.tier, reply.upstream, reply.model)
        assert [tier for tier, end, _ in ends(reply.decision) if end == "WON"] == [winner.tier]
        assert reply.decision.commit.upheld != reply.degraded

    def _check_failed(self, failed: Failed) -> None:
        assert failed.reason, f"a status without a reason: {failed}"
        partial = failed.detail("specroute.v1.PartialDelivery")
        assert (partial is None) == (self.committed is None)
        if partial is not None:
            text = self.standing_text.encode()
            assert (partial.leg, partial.tier) == (self.committed.leg, self.committed.tier)
            assert (partial.output_bytes, partial.output_tokens) == (len(text), -(-len(text) // 4))
        if failed.decision is not None and self.decided is not None:
            self._check_commit(failed.decision)
            assert all(end != "WON" for _, end, _ in ends(failed.decision))

    def _check_commit(self, decision: Any) -> None:
        assert decision.request_id == self.decided.request_id
        assert decision.HasField("commit") == (self.committed is not None)
        if self.committed is not None:
            commit = decision.commit
            told = self.committed.leg, self.committed.tier, self.committed.reason
            assert (commit.leg, commit.tier, commit.reason) == told
        last: Mapping[int, Any] = {attempt.leg: attempt for attempt in decision.attempts}
        for leg, why in self.superseded.items():
            # An answer that came to its end in the very turn in which another was taken lost the race, too.
            ended = last[leg].reason.replace("outranked", "lost_race")
            assert why == ended, f"taken back as {why}, ended as {ended}"
