"""The JSON that OpenAI-compatible endpoints answer with, as far as it matters here, and its tolerant decoding."""

from __future__ import annotations

import json
import re

import msgspec

from specroute.core.errors import UpstreamError
from specroute.core.outcome import FinishReason, Usage

_MAX_TOKENS = 1 << 40  # a count above it is nonsense, and has to fit in 64 bits further on
_PLAIN_WORD = re.compile(r"[a-z][a-z0-9_]*|[0-9]{1,9}")
_MAX_WORD_CHARS = 64

_FINISH_REASONS = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}


class Part(msgspec.Struct, gc=False):
    """A piece of a content that comes as a list."""

    text: str | None = None
    type: str | None = None


class Function(msgspec.Struct, gc=False):
    """The name and the argument text of a tool call, or pieces of them."""

    name: str | None = None
    arguments: str | None = None


class ToolCallPart(msgspec.Struct, gc=False):
    """A tool call, or a piece of one."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Delta(msgspec.Struct, gc=False):
    """A piece of an answer, or the whole message of one that is not streamed."""

    content: str | list[Part] | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallPart] | None = None
    function_call: Function | None = None


class TokenLogprob(msgspec.Struct, gc=False):
    """The natural-log probability of one token."""

    logprob: float


class Logprobs(msgspec.Struct, gc=False):
    """The log-probabilities of a piece's tokens."""

    content: list[TokenLogprob] | None = None


class Choice(msgspec.Struct, gc=False):
    """One of the answers; we ask for one."""

    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class PromptDetails(msgspec.Struct, gc=False):
    """What the prompt tokens consist of."""

    cached_tokens: int | float | None = None


class CompletionDetails(msgspec.Struct, gc=False):
    """What the completion tokens consist of."""

    reasoning_tokens: int | float | None = None


class UsageFields(msgspec.Struct, gc=False):
    """Token counts as an upstream reports them."""

    prompt_tokens: int | float | None = None
    completion_tokens: int | float | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None


class Body(msgspec.Struct, gc=False):
    """One event of a stream, or the whole body of an answer that is not streamed."""

    choices: list[Choice] | None = None
    model: str | None = None
    usage: UsageFields | None = None
    error: object = None
    kind: str | None = msgspec.field(name="object", default=None)


_decode = msgspec.json.Decoder(Body).decode
_decode_array = msgspec.json.Decoder(list[Body]).decode


def decode(data: bytes) -> Body:
    """Returns ``data`` as a body in which every string is valid Unicode.

    Broken UTF-8 and lone surrogates become U+FFFD, since a tokenizer that cuts a character in two must not cost the
    answer. Everything else that is not what the API promises is an error.

    Raises:
        UpstreamError: "garbage".
    """
    try:
        return _decode(data)
    except msgspec.ValidationError:
        raise UpstreamError("garbage", "a field has the wrong type") from None
    except RecursionError:
        raise UpstreamError("garbage", "JSON nested too deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # once more below, replacing what is not Unicode
    try:
        return _decode(_replacing_broken_unicode(data))
    except msgspec.ValidationError:
        raise UpstreamError("garbage", "a field has the wrong type") from None
    except (ValueError, RecursionError):
        raise UpstreamError("garbage", "not JSON") from None


def decode_all(payloads: list[bytes]) -> list[Body]:
    """Returns each of ``payloads`` as ``decode`` does, leaving out empty ones; raises what it raises."""
    try:
        # One call for all of a read's events costs half of one call each.
        bodies = _decode_array(b"[%b]" % b",".join(payloads))
    except (ValueError, RecursionError):
        bodies = []
    if len(bodies) == len(payloads):
        return bodies
    return [decode(payload) for payload in payloads if payload]


def usage_of(fields: UsageFields) -> Usage:
    """Returns the token counts with what cannot be (negative, absurd, a part above its whole) cut to what can."""
    input_tokens = _tokens(fields.prompt_tokens)
    output_tokens = _tokens(fields.completion_tokens)
    prompt, completion = fields.prompt_tokens_details, fields.completion_tokens_details
    return Usage(
        input_tokens=input_tokens,
        cached_input_tokens=min(_tokens(prompt.cached_tokens), input_tokens) if prompt else 0,
        output_tokens=output_tokens,
        reasoning_output_tokens=min(_tokens(completion.reasoning_tokens), output_tokens) if completion else 0,
    )


def finish_reason_of(word: str) -> FinishReason:
    """Returns the meaning of a finish reason; one that we don't know means that the model stopped by itself."""
    return _FINISH_REASONS.get(word, FinishReason.STOP)


def error_words(error: object) -> str:
    """Returns an error object's type and code where they are plain words, and nothing else of it.

    The message is left out on purpose: providers quote the prompt and parts of the key in it.
    """
    if not isinstance(error, dict):
        return ""
    words = []
    for field in ("type", "code"):
        value = error.get(field)
        if isinstance(value, int | str) and _is_plain(str(value)):
            words.append(f"{field}={value}")
    return " ".join(words)


def _tokens(value: float | None) -> int:
    return 0 if value is None else max(0, min(int(value), _MAX_TOKENS))


def _replacing_broken_unicode(data: bytes) -> bytes:
    # The standard library reads a lone surrogate escape where the fast decoders refuse it; UTF-16 shows it as broken.
    text = json.dumps(json.loads(data.decode("utf-8", "replace")), ensure_ascii=False)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _is_plain(word: str) -> bool:
    return len(word) <= _MAX_WORD_CHARS and _PLAIN_WORD.fullmatch(word) is not None
