"""Turns the bytes of an OpenAI-compatible answer into chunks; does no IO.

Everything that one read brings becomes one chunk, because every chunk costs its way through the service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from specroute.core.errors import UpstreamError
from specroute.core.outcome import Chunk, FinishReason, ToolCallDelta, Usage
from specroute.upstreams.openai_wire import decode, decode_all, error_words, finish_reason_of, usage_of
from specroute.upstreams.sse import SseLimitExceeded, SseParser

if TYPE_CHECKING:
    from specroute.upstreams.openai_wire import Body, Choice, Delta, Function, ToolCallPart

MAX_BODY_BYTES = 8 << 20
MAX_LINE_BYTES = 1 << 20
MAX_EVENT_BYTES = 256 << 10
_MAX_TOOL_CALLS = 128
_MAX_MODEL_CHARS = 256
_DONE = b"[DONE]"
# How bodies begin that are no event stream whatever their header says: HTML, JSON, UTF-16.
_NOT_EVENTS = (b"<", b"{", b"[", b"\xff\xfe", b"\xfe\xff")


class Answer(Protocol):
    """An answer while it is read; ``is_done`` tells that nothing more of it is needed."""

    is_done: bool

    def feed(self, data: bytes) -> Chunk | None:
        """Returns what ``data`` adds, or ``None`` where it adds nothing; raises ``UpstreamError``."""
        ...

    def end(self) -> Chunk | None:
        """Returns what the end of the body completes; raises ``UpstreamError`` if the answer is not whole."""
        ...


class _Pieces:
    """Gathers what bodies bring until it is taken as one chunk, and remembers what holds for the whole answer."""

    def __init__(self) -> None:
        self.finish_reason: FinishReason | None = None
        self.has_final_usage = False
        self._has_tool_calls = False
        self._model = ""
        self._last_index = -1
        self._text: list[str] = []
        self._has_more = False  # more than text is gathered
        self._reset()

    def _reset(self) -> None:
        self._tool_calls: list[ToolCallDelta] = []
        self._logprobs: list[float] = []
        self._new_finish: FinishReason | None = None
        self._new_usage: Usage | None = None
        self._new_model = ""

    def take(self) -> Chunk | None:
        """Returns the gathered pieces, and starts anew; ``None`` where there are none."""
        text = "".join(self._text)
        self._text.clear()
        if not self._has_more:
            return Chunk(text) if text else None
        chunk = Chunk(
            text=text,
            tool_calls=tuple(self._tool_calls),
            finish_reason=self._new_finish,
            usage=self._new_usage,
            model=self._new_model,
            logprobs=tuple(self._logprobs),
        )
        self._has_more = False
        self._reset()
        return chunk

    def add(self, bodies: list[Body]) -> None:
        """Adds events, or one whole body. It sees every token: a mere piece of text passes without a call."""
        append = self._text.append
        for body in bodies:
            for choice in body.choices or ():
                delta = choice.delta
                if (
                    delta is not None
                    and isinstance(delta.content, str)
                    and not (delta.tool_calls or delta.refusal or delta.function_call)
                    and not (choice.finish_reason or choice.logprobs or choice.message or choice.index)
                ):
                    append(delta.content)
                elif not choice.index:  # we asked for one answer
                    self._add_choice(choice)
            if body.usage is not None or body.error is not None or not body.choices or not self._model:
                self._add_rest(body)

    def finish(self, reason: FinishReason) -> None:
        """Notes why the model stopped; the first reason counts."""
        if self.finish_reason is None:
            self.finish_reason = self._new_finish = reason
            self._has_more = True

    def finish_without_reason(self) -> None:
        """Ends an answer whose upstream said that it is whole, but not why it stopped."""
        self.finish(FinishReason.TOOL_CALLS if self._has_tool_calls else FinishReason.STOP)

    def _add_rest(self, body: Body) -> None:
        if body.error is not None or body.kind == "error":
            raise UpstreamError("provider_error", error_words(body.error))
        if body.model and not self._model:
            self._model = self._new_model = body.model[:_MAX_MODEL_CHARS]
            self._has_more = True
        if body.usage is not None:
            self._new_usage = usage_of(body.usage)
            self._has_more = True
            self.has_final_usage = self.finish_reason is not None

    def _add_choice(self, choice: Choice) -> None:
        delta = choice.delta or choice.message
        if delta is not None:
            self._add_delta(delta)
        if choice.logprobs is not None and choice.logprobs.content:
            self._logprobs += [token.logprob for token in choice.logprobs.content]
            self._has_more = True
        if choice.finish_reason == "error":
            raise UpstreamError("provider_error", "finish_reason=error")
        if choice.finish_reason:
            self.finish(finish_reason_of(choice.finish_reason))

    def _add_delta(self, delta: Delta) -> None:
        if isinstance(delta.content, str):
            self._text.append(delta.content)
        elif delta.content is not None:
            self._text += [part.text for part in delta.content if part.text and part.type in (None, "text")]
        if delta.refusal:
            # A refusal that comes in a field of its own is still the answer's text: validators have to see it.
            self._text.append(delta.refusal)
        for part in delta.tool_calls or ():
            self._add_tool_call(self._index_of(part), part.id, part.function)
        if delta.function_call is not None:
            self._add_tool_call(0, None, delta.function_call)

    def _index_of(self, part: ToolCallPart) -> int:
        if part.index is not None:
            return part.index
        # Some servers leave the index out and send each call whole: an id begins the next one.
        return self._last_index + 1 if part.id or self._last_index < 0 else self._last_index

    def _add_tool_call(self, index: int, call_id: str | None, function: Function | None) -> None:
        if not 0 <= index < _MAX_TOOL_CALLS:
            raise UpstreamError("garbage", "tool call index out of range")
        self._last_index = max(self._last_index, index)
        self._has_tool_calls = self._has_more = True
        name = function.name if function is not None else None
        arguments = function.arguments if function is not None else None
        self._tool_calls.append(ToolCallDelta(index, call_id or "", name or "", arguments or ""))


class StreamedAnswer:
    """An answer that comes as server-sent events.

    It is whole after ``[DONE]``, after a finish reason with usage, or at the end of the body after a finish reason.
    """

    def __init__(self) -> None:
        self.is_done = False
        self._parser = SseParser(MAX_LINE_BYTES, MAX_EVENT_BYTES, max_total_bytes=MAX_BODY_BYTES)
        self._pieces = _Pieces()
        self._is_first_read = True

    def feed(self, data: bytes) -> Chunk | None:
        """Returns everything that the events completed by ``data`` bring."""
        if self._is_first_read:
            self._is_first_read = False
            if data.lstrip().startswith(_NOT_EVENTS):
                raise UpstreamError("garbage", "not an event stream")
        try:
            events = self._parser.feed(data)
        except SseLimitExceeded as error:
            raise UpstreamError("too_large", str(error)) from None
        payloads = [event if isinstance(event, bytes) else event.data for event in events]
        pieces = self._pieces
        if _DONE in payloads:
            pieces.add(decode_all(payloads[: payloads.index(_DONE)]))
            pieces.finish_without_reason()
            self.is_done = True
        else:
            pieces.add(decode_all(payloads))
        if pieces.has_final_usage:
            self.is_done = True
        return pieces.take()

    def end(self) -> Chunk | None:
        """Accepts the end of the body if a finish reason has come."""
        self._parser.close()
        if self._pieces.finish_reason is None:
            raise UpstreamError("stream_ended_early")
        return None


class WholeAnswer:
    """An answer that comes as one JSON body, from a server that does not stream."""

    def __init__(self) -> None:
        self.is_done = False
        self._parts: list[bytes] = []
        self._size_bytes = 0

    def feed(self, data: bytes) -> Chunk | None:
        """Keeps ``data``, up to the bound."""
        self._size_bytes += len(data)
        if self._size_bytes > MAX_BODY_BYTES:
            raise UpstreamError("too_large", f"body of more than {MAX_BODY_BYTES} bytes")
        self._parts.append(data)
        return None

    def end(self) -> Chunk | None:
        """Returns the answer."""
        body = decode(b"".join(self._parts).removeprefix(b"\xef\xbb\xbf"))
        pieces = _Pieces()
        pieces.add([body])
        if not body.choices:
            raise UpstreamError("garbage", "no choices")
        pieces.finish_without_reason()
        return pieces.take()
