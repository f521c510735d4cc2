"""Puts the chunks of one call together into an answer, and counts what has come so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.core.outcome import Completion, FinishReason, Prefix
from specroute.core.request import ToolCall, estimated_tokens, utf8_length

if TYPE_CHECKING:
    from specroute.core.outcome import Chunk, ToolCallDelta, Usage


MAX_PARTS = 256
"""Parts are joined beyond this number: a short text takes ten times its size as an object of its own."""


class Transcript:
    """What one call has brought so far."""

    __slots__ = (
        "_finish_reason",
        "_logprobs",
        "_model",
        "_output_bytes",
        "_parts",
        "_text_length",
        "_tool_calls",
        "usage",
    )

    def __init__(self, model: str) -> None:
        self._model = model
        self._parts: list[str] = []
        self._tool_calls: dict[int, tuple[str, str, list[str]]] = {}
        self._text_length = 0
        self._output_bytes = 0
        self._finish_reason: FinishReason | None = None
        self._logprobs: list[float] = []
        self.usage: Usage | None = None

    def add(self, chunk: Chunk) -> None:
        """Takes in one chunk; constant work per byte, so that counting costs nothing when the call is cancelled."""
        if chunk.text:
            self._parts.append(chunk.text)
            if len(self._parts) > MAX_PARTS:
                self._parts = ["".join(self._parts)]
            self._text_length += len(chunk.text)
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
            self._logprobs += chunk.logprobs

    @property
    def model(self) -> str:
        """The model as reported, else as asked for."""
        return self._model

    @property
    def output_tokens(self) -> int:
        """Tokens counted from the text: UTF-8 bytes / 4, rounded up."""
        return estimated_tokens(self._output_bytes)

    def completion(self) -> Completion:
        """Returns the whole answer. A stream that ended well without a finish reason counts as stopped."""
        calls = tuple(
            ToolCall(call_id, name, "".join(arguments))
            for _, (call_id, name, arguments) in sorted(self._tool_calls.items())
        )
        default = FinishReason.TOOL_CALLS if calls else FinishReason.STOP
        return Completion(
            self.text, calls, self._finish_reason or default, self._model, self.usage, tuple(self._logprobs)
        )

    @property
    def text(self) -> str:
        """The text so far. Joining it once costs as much as it is long: parts that were joined stay joined."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    @property
    def text_length(self) -> int:
        """Characters of ``text``."""
        return self._text_length

    def prefix(self) -> Prefix:
        """Returns what has come so far."""
        return Prefix(self.text, bool(self._tool_calls), self._logprobs, self.output_tokens)

    def _add_tool_call(self, delta: ToolCallDelta) -> None:
        call_id, name, arguments = self._tool_calls.get(delta.index, ("", "", []))
        arguments.append(delta.arguments_json)
        self._tool_calls[delta.index] = (call_id or delta.id, name or delta.name, arguments)
        self._output_bytes += utf8_length(delta.arguments_json)
