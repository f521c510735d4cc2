"""What a simulated tier answers. Where answers come from is an ``AnswerBook``; pace and faults are not its business."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

import orjson

from specroute.core.outcome import FinishReason
from specroute.core.request import ToolCall, estimated_tokens
from specroute.upstreams.simulated.http.wire import BadRequestError
from specroute.upstreams.simulated.profile import AnswerKind, TierProfile, lognormal, seeded
from specroute.upstreams.simulated.schema import WORDS, value_of

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from specroute.upstreams.simulated.http.wire import ChatRequest

REFUSAL = "I'm sorry, but I can't help with that request."

_PIECE = re.compile(r"\s*\w{1,7}|\s*[^\w\s]{1,3}|\s+")

# Mean log-probabilities: right answers are surer on average, yet the two overlap, as they do in recorded answers.
_LOGPROB_MEAN_AND_SPREAD = {AnswerKind.CORRECT: (-0.12, 0.08), AnswerKind.WRONG: (-0.26, 0.14)}
_LOGPROB_OTHERWISE = (-0.2, 0.1)


def pieces_of(text: str) -> list[str]:
    """Returns ``text`` cut into pieces of about one token; joined they are ``text`` again."""
    return _PIECE.findall(text)


@dataclass(frozen=True, slots=True)
class SimulatedAnswer:
    """One whole answer.

    Attributes:
        tier: whose profile it follows.
        model: the name the response reports.
        input_tokens, output_tokens: the usage to report, >= 0.
        latency_s: recorded time of the whole answer; ``None``: the profile gives the pace.
        mean_logprob: mean natural-log probability of its tokens; ``None``: there is none to report.
        kind: what the quality profile drew; ``None``: the answer is recorded.
    """

    tier: str
    model: str
    text: str
    input_tokens: int
    output_tokens: int
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason = FinishReason.STOP
    latency_s: float | None = None
    mean_logprob: float | None = None
    kind: AnswerKind | None = None

    def cut_to(self, max_tokens: int) -> SimulatedAnswer:
        """Returns its first ``max_tokens`` tokens with finish reason ``LENGTH``, or itself where it is not longer."""
        if self.output_tokens <= max_tokens:
            return self
        kept_ratio = max_tokens / self.output_tokens
        text_pieces = pieces_of(self.text)
        argument_pieces = [pieces_of(call.arguments_json) for call in self.tool_calls]
        left = int((len(text_pieces) + sum(map(len, argument_pieces))) * kept_ratio)
        text = "".join(text_pieces[:left])
        left -= min(left, len(text_pieces))
        calls: list[ToolCall] = []
        for call, pieces in zip(self.tool_calls, argument_pieces, strict=True):
            if left <= 0:
                break
            calls.append(replace(call, arguments_json="".join(pieces[:left])))
            left -= len(pieces)
        return replace(
            self,
            text=text,
            tool_calls=tuple(calls),
            output_tokens=max_tokens,
            finish_reason=FinishReason.LENGTH,
            latency_s=None if self.latency_s is None else self.latency_s * kept_ratio,
        )


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The book has no answer to this prompt from this model; ``message`` says so without quoting the prompt."""

    message: str


class AnswerBook(Protocol):
    """Where answers come from. Pure: the same request has the same answer."""

    @property
    def tiers(self) -> Mapping[str, str]:
        """The model names it answers to -> the tier whose profile each follows."""
        ...

    def answer(self, request: ChatRequest) -> SimulatedAnswer | NoAnswer:
        """Returns the answer to a request whose model is in ``tiers``.

        Raises:
            BadRequestError: the request asks for something that cannot be made.
        """
        ...


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """A prompt with its right and one wrong answer; ``level`` is its difficulty, a key of ``correct_by_level``."""

    prompt: str
    level: str
    right: str
    wrong: str


class KnownAnswers:
    """Answers known prompts rightly, wrongly or not at all, as often as each tier's quality profile says.

    The prompt is the last user message, byte for byte. Kinds are drawn by (seed, tier, prompt), so ``kind_of`` tells
    beforehand what a tier will answer.
    """

    def __init__(self, answers: Sequence[KnownAnswer], tiers: Sequence[TierProfile], *, seed: int = 0) -> None:
        self._answers = {answer.prompt: answer for answer in answers}
        self._profiles = {tier.name: tier for tier in tiers}
        self._seed = seed

    @property
    def tiers(self) -> Mapping[str, str]:
        """Each tier under its own name."""
        return {name: name for name in self._profiles}

    def kind_of(self, tier: str, prompt: str) -> AnswerKind:
        """Returns what ``tier`` will make of a known prompt."""
        quality = self._profiles[tier].quality
        return quality.kind(seeded(self._seed, "quality", tier, prompt), self._answers[prompt].level)

    def answer(self, request: ChatRequest) -> SimulatedAnswer | NoAnswer:
        """Returns the right answer, the wrong one, or a failure."""
        known = self._answers.get(request.prompt)
        if known is None:
            return NoAnswer("The last user message is none of the prompts that this server knows the answer to.")
        kind = self.kind_of(request.model, request.prompt)
        text = known.wrong if kind is AnswerKind.WRONG else known.right
        rng = seeded(self._seed, "answer", request.model, request.prompt)
        return spoilt(_plain(request, text), kind, rng)


class Synthetic:
    """Makes up an answer to any prompt: prose, JSON that satisfies the schema asked for, or a tool call.

    Nobody knows what is right here, so a ``WRONG`` answer looks like a ``CORRECT`` one but for its log-probabilities.
    """

    def __init__(self, tiers: Sequence[TierProfile], *, seed: int = 0) -> None:
        self._profiles = {tier.name: tier for tier in tiers}
        self._seed = seed

    @property
    def tiers(self) -> Mapping[str, str]:
        """Each tier under its own name."""
        return {name: name for name in self._profiles}

    def answer(self, request: ChatRequest) -> SimulatedAnswer:
        """Returns an answer of the kind that the profile draws and in the form that the request asks for."""
        profile = self._profiles[request.model]
        rng = seeded(self._seed, "synthetic", request.model, request.fingerprint)
        kind = profile.quality.kind(rng)
        try:
            answer = self._good_answer(request, profile, rng)
        except ValueError as error:
            param = "tools" if request.called_tool else "response_format"
            raise BadRequestError(f"Invalid {param}: {error}.", param) from error
        return spoilt(answer, kind, rng)

    def _good_answer(self, request: ChatRequest, profile: TierProfile, rng: random.Random) -> SimulatedAnswer:
        tool = request.called_tool
        if tool is not None:
            arguments = orjson.dumps(value_of({"type": "object", **tool.parameters}, rng)).decode()
            call = ToolCall(id=f"call_{rng.getrandbits(96):024x}", name=tool.name, arguments_json=arguments)
            answer = _plain(request, "", extra_output=arguments)
            return replace(answer, tool_calls=(call,), finish_reason=FinishReason.TOOL_CALLS)
        if request.json_schema is not None:
            return _plain(request, orjson.dumps(value_of(request.json_schema, rng)).decode())
        length = lognormal(profile.output_tokens_p50, profile.output_tokens_p99, rng)
        return _plain(request, _prose(max(1, round(length)), rng))


def spoilt(answer: SimulatedAnswer, kind: AnswerKind, rng: random.Random) -> SimulatedAnswer:
    """Returns what becomes of a good ``answer`` when it is of ``kind``; right and wrong ones keep their text."""
    mean, spread = _LOGPROB_MEAN_AND_SPREAD.get(kind, _LOGPROB_OTHERWISE)
    answer = replace(answer, kind=kind, mean_logprob=min(-0.001, rng.gauss(mean, spread)))
    match kind:
        case AnswerKind.CORRECT | AnswerKind.WRONG:
            return answer
        case AnswerKind.REFUSAL:
            return _in_text(answer, REFUSAL)
        case AnswerKind.EMPTY:
            return _in_text(answer, "")
        case AnswerKind.TRUNCATED:
            return replace(answer.cut_to(answer.output_tokens // 2), finish_reason=FinishReason.LENGTH)
        case AnswerKind.MALFORMED if answer.tool_calls:
            last = answer.tool_calls[-1]
            broken = replace(last, arguments_json=_malformed(last.arguments_json))
            return replace(answer, tool_calls=(*answer.tool_calls[:-1], broken))
        case AnswerKind.MALFORMED:
            return _in_text(answer, _malformed(answer.text))


def _in_text(answer: SimulatedAnswer, text: str) -> SimulatedAnswer:
    count = len(pieces_of(text))
    return replace(answer, text=text, tool_calls=(), output_tokens=count, finish_reason=FinishReason.STOP)


def _malformed(text: str) -> str:
    """Returns JSON without its last character, and prose as a JSON string that nobody closed: invalid in any format."""
    return text[:-1] if text[:1] in ("{", "[") else '{"answer": "' + text.replace('"', "'")


def _plain(request: ChatRequest, text: str, *, extra_output: str = "") -> SimulatedAnswer:
    return SimulatedAnswer(
        tier=request.model,
        model=request.model,
        text=text,
        input_tokens=estimated_tokens(request.input_bytes),
        output_tokens=len(pieces_of(text)) + len(pieces_of(extra_output)),
    )


def _prose(tokens: int, rng: random.Random) -> str:
    """Returns sentences of ``tokens`` tokens: a word and a full stop are one each."""
    words = rng.choices(WORDS, k=tokens)
    ends = set(accumulate(rng.choices(range(6, 15), k=1 + tokens // 6)))
    sentences: list[str] = []
    for index, word in enumerate(words):
        if index in ends or index == tokens - 1 > 0:
            sentences.append(".")
        elif not sentences or sentences[-1] == ".":
            sentences.append((" " if sentences else "") + word.capitalize())
        else:
            sentences.append(" " + word)
    return "".join(sentences)
