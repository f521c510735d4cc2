"""An answer as bytes: server-sent events for a streamed one, one JSON body for a whole one. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from specroute.upstreams.simulated.answers import pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from specroute.core.request import ToolCall
    from specroute.upstreams.simulated.answers import SimulatedAnswer

DONE = b"data: [DONE]\n\n"

LOGPROB_SPREAD_RATIO = 0.5
"""Standard deviation of a token's log-probability, as a share of the answer's mean."""


def event(body: bytes) -> bytes:
    """Returns ``body`` as one server-sent event."""
    return b"data: " + body + b"\n\n"


@dataclass(frozen=True, slots=True)
class Delta:
    """One event of a streamed answer, and how many output tokens have been sent once it is written."""

    frame: bytes
    tokens_sent: int


@dataclass(frozen=True, slots=True)
class AnswerFrames:
    """Writes one answer.

    Attributes:
        created_s: wall-clock seconds since the Unix epoch.
        tokens_per_delta: pieces of about one token that a content event holds, >= 1.
        include_usage: whether a last event reports the usage; all others then carry ``usage: null``.
        logprobs: draws the tokens' log-probabilities; ``None``: they were not asked for.
    """

    answer: SimulatedAnswer
    completion_id: str
    created_s: int
    tokens_per_delta: int = 3
    include_usage: bool = False
    logprobs: Random | None = None

    def role(self) -> bytes:
        """Returns the event that opens a stream."""
        has_text = not self.answer.tool_calls
        return self._chunk({"role": "assistant", "content": "" if has_text else None})

    def deltas(self) -> list[Delta]:
        """Returns the events between the first and the finish; each carries ``tokens_per_delta`` tokens or fewer."""
        events = [(delta, pieces) for delta, pieces in self._parts() if pieces or "tool_calls" in delta]
        total = sum(len(pieces) for _, pieces in events)
        sent = 0
        deltas: list[Delta] = []
        for delta, pieces in events:
            sent += len(pieces)
            # Reported tokens and pieces differ where the tokens are recorded ones: their shares are the same.
            tokens_sent = self.answer.output_tokens * sent // total if total else self.answer.output_tokens
            deltas.append(Delta(self._chunk(delta, pieces=pieces if "content" in delta else ()), tokens_sent))
        return deltas

    def finish(self) -> Iterator[bytes]:
        """Yields the events that end a stream: finish reason, usage where asked for, ``[DONE]``."""
        yield self._chunk({}, finish_reason=self.answer.finish_reason.value)
        if self.include_usage:
            yield event(orjson.dumps({**self._head("chat.completion.chunk"), "choices": [], "usage": self._usage()}))
        yield DONE

    def whole(self) -> bytes:
        """Returns the body of an answer that is not streamed."""
        message: dict[str, object] = {"role": "assistant", "content": self.answer.text, "refusal": None}
        if self.answer.tool_calls:
            message |= {"content": None, "tool_calls": [_tool_call(call) for call in self.answer.tool_calls]}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": self._logprobs(pieces_of(self.answer.text)),
            "finish_reason": self.answer.finish_reason.value,
        }
        return orjson.dumps({**self._head("chat.completion"), "choices": [choice], "usage": self._usage()})

    def _parts(self) -> Iterator[tuple[dict[str, object], list[str]]]:
        for pieces in _grouped(pieces_of(self.answer.text), self.tokens_per_delta):
            yield {"content": "".join(pieces)}, pieces
        for index, call in enumerate(self.answer.tool_calls):
            head = {**_tool_call(call), "index": index, "function": {"name": call.name, "arguments": ""}}
            yield {"tool_calls": [head]}, []
            for pieces in _grouped(pieces_of(call.arguments_json), self.tokens_per_delta):
                yield {"tool_calls": [{"index": index, "function": {"arguments": "".join(pieces)}}]}, pieces

    def _chunk(
        self, delta: dict[str, object], *, pieces: list[str] | tuple[()] = (), finish_reason: str | None = None
    ) -> bytes:
        logprobs = self._logprobs(pieces) if pieces else None
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        body: dict[str, object] = {**self._head("chat.completion.chunk"), "choices": [choice]}
        if self.include_usage:
            body["usage"] = None
        return event(orjson.dumps(body))

    def _head(self, kind: str) -> dict[str, object]:
        return {"id": self.completion_id, "object": kind, "created": self.created_s, "model": self.answer.model}

    def _usage(self) -> dict[str, object]:
        answer = self.answer
        return {
            "prompt_tokens": answer.input_tokens,
            "completion_tokens": answer.output_tokens,
            "total_tokens": answer.input_tokens + answer.output_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }

    def _logprobs(self, pieces: list[str] | tuple[()]) -> dict[str, object] | None:
        rng, mean = self.logprobs, self.answer.mean_logprob
        if rng is None or mean is None or self.answer.tool_calls:
            return None
        tokens = [
            {
                "token": piece,
                "logprob": min(0.0, rng.gauss(mean, -mean * LOGPROB_SPREAD_RATIO)),
                "bytes": list(piece.encode("utf-8")),
                "top_logprobs": [],
            }
            for piece in pieces
        ]
        return {"content": tokens, "refusal": None}


def _tool_call(call: ToolCall) -> dict[str, object]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments_json}}


def _grouped(pieces: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(pieces), size):
        yield pieces[start : start + size]
