"""Puts the chunks of one call together into an answer, and counts what has come so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.core.outcome import Completion, FinishReason
from specroute.core.request import BYTES_PER_TOKEN, ToolCall, utf8_length

if TYPE_CHECKING:
    from specroute.core.outcome import Chunk, ToolCallDelta, Usage


class Transcript:
    """What one call has brought so far."""

    __slots__ = (
        "_finish_reason",
        "_logprob_count",
        "_logprob_sum",
        "_model",
        "_output_bytes",
        "_parts",
        "_tool_calls",
        "usage",
    )

    def __init__(self, model: str) -> None:
        self._model = model
        self._parts: list[str] = []
        self._tool_calls: dict[int, tuple[str, str, list[str]]] = {}
        self._output_bytes = 0
        self._finish_reason: FinishReason | None = None
        self._logprob_sum = 0.0
        self._logprob_count = 0
        self.usage: Usage | None = None

    def add(self, chunk: Chunk) -> None:
        """Takes in one chunk; constant work per byte, so that counting costs nothing when the call is cancelled."""
        if chunk.text:
            self._parts.append(chunk.text)
            self._output_bytes += utf8_length(chunk.text)
        for delta in chunk.tool_calls:
            self._add_tool_call(delta)
        if chunk.finish_reason is not None:
            self._finish_reason = chunk.finish_reason
        if chunk.usage is not None:
            self.usage = chunk.usage
        if chunk.model:
            self._model = chunk.model
        if chunk.logprobs:
            self._logprob_sum += sum(chunk.logprobs)
            self._logprob_count += len(chunk.logprobs)

    @property
    def model(self) -> str:
        """The model as reported, else as asked for."""
        return self._model

    @property
    def output_tokens(self) -> int:
        """Tokens counted from the text: UTF-8 bytes / 4, rounded up."""
        return -(-self._output_bytes // BYTES_PER_TOKEN)

    def completion(self) -> Completion:
        """Returns the whole answer. A stream that ended well without a finish reason counts as stopped."""
        calls = tuple(
            ToolCall(call_id, name, "".join(arguments))
            for _, (call_id, name, arguments) in sorted(self._tool_calls.items())
        )
        default = FinishReason.TOOL_CALLS if calls else FinishReason.STOP
        mean_logprob = self._logprob_sum / self._logprob_count if self._logprob_count else None
        text = "".join(self._parts)
        return Completion(text, calls, self._finish_reason or default, self._model, self.usage, mean_logprob)

    def _add_tool_call(self, delta: ToolCallDelta) -> None:
        call_id, name, arguments = self._tool_calls.get(delta.index, ("", "", []))
        arguments.append(delta.arguments_json)
        self._tool_calls[delta.index] = (call_id or delta.id, name or delta.name, arguments)
        self._output_bytes += utf8_length(delta.arguments_json)
