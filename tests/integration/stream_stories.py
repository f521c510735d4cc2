"""What upstreams do in one run of a stream test: the answer, how it ends, how it is cut into reads, when those come."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from tests.integration.mock_upstream import Reply, Script

SPAN_S = 0.06
"""How long an answer takes that neither hangs nor is fast, about."""
WORDS = (
    "quick",
    "brown",
    "größer",
    "Ελλάδα",
    "日本語",
    "🦊🦔",
    "e\u0301",
    "lazy",
    '"quoted"',
    "back\\slash",
    "tab\t",
    "end.",
)
REFUSAL = "I'm sorry, but I can't help with that. "

FATES = {
    "good": 12,
    "refused": 2,
    "broken": 2,
    "truncated": 1,
    "filtered": 1,
    "empty": 1,
    "reset": 2,
    "reset_at_once": 1,
    "cut_off": 1,
    "error_event": 1,
    "http_500": 1,
    "hangs": 1,
}
"""How an answer ends, and how often it is drawn."""

DEGRADED = {"truncated": "length", "filtered": "content_filter"}
"""Fates that only the end shows: a stream that was committed before ends with them, and says so."""


@dataclass(frozen=True)
class LegStory:
    """What one upstream will do. ``text``: what a caller may see of it at most; ``reads``: what is sent, and when."""

    fate: str
    text: str
    reads: tuple[tuple[float, bytes], ...]

    @property
    def script(self) -> Script:
        async def play(reply: Reply) -> None:
            if self.fate == "http_500":
                reply.respond(500, b'{"error": {"type": "bad", "code": "bad"}}')
                return
            for wait_s, data in self.reads:
                if wait_s:
                    await anyio.sleep(wait_s)
                reply.chunk(data)
            match self.fate:
                case "reset" | "reset_at_once":
                    await anyio.lowlevel.checkpoint()
                    reply.reset()
                case "hangs":
                    await anyio.sleep_forever()
                case _:
                    reply.end_of_body()

        return play


class Storyteller:
    """Draws what happens in one run."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)

    def leg(self, model: str, nonce: str, *, is_json: bool) -> LegStory:
        draw = self.draw
        fate = draw.choices(list(FATES), weights=list(FATES.values()))[0]
        if fate == "broken" and not is_json:
            fate = "good"
        sent, text = self._answer(fate, f"{model}<{nonce}>", is_json=is_json)
        if fate in ("reset", "cut_off", "error_event", "hangs"):
            sent = sent[: draw.randrange(len(sent))]
        elif fate in ("reset_at_once", "http_500", "empty"):
            sent = ""
        return LegStory(fate, text, tuple(self._reads(model, self._pieces(sent), fate)))

    def delivery(self) -> dict[str, Any]:
        draw = self.draw
        match draw.randrange(5):
            case 0 | 1:
                return {"provisional": {}}
            case 2:
                return {"committed": {}}
            case 3:
                return {"hold_back": {"tokens": draw.choice((1, 4, 16, 64))}}
            case _:
                return {"hold_back": {"tokens": 200, "duration": f"{draw.uniform(0.001, 0.04):.6f}s"}}

    def _answer(self, fate: str, mark: str, *, is_json: bool) -> tuple[str, str]:
        """Returns what is sent as text, and what of it is delivered."""
        draw = self.draw
        words = [mark, *draw.choices((*WORDS, mark), k=draw.choice((0, 3, 30, 300)))]
        if fate == "refused":
            return REFUSAL + mark, REFUSAL + mark
        if not is_json:
            text = " ".join(words)
            return text, text
        text = json.dumps({"by": words}, ensure_ascii=draw.random() < 0.5)
        if fate == "broken":
            text = draw.choice((text[: draw.randrange(1, len(text))], f"{text} and more", f'{{"by": {mark}, {text}}}'))
        if draw.random() < 0.3:
            return f"```json\n{text}\n```", text
        return text, text

    def _pieces(self, text: str) -> list[str]:
        most = self.draw.choice((1, 5, 40, 4_000)) if len(text) < 200 else self.draw.choice((20, 200, 4_000))
        pieces = []
        while text:
            size = self.draw.randint(1, most)
            pieces.append(text[:size])
            text = text[size:]
        return pieces

    def _reads(self, model: str, pieces: list[str], fate: str) -> list[tuple[float, bytes]]:
        """Returns the events of an answer, whole or cut anywhere, even within a character, and the time before each."""
        events = [self._event(model, {"content": piece}) for piece in pieces]
        match fate:
            case "good" | "refused" | "broken" | "empty":
                events += [self._event(model, {}, "stop"), b"data: [DONE]\n\n"]
            case "truncated" | "filtered":
                events += [self._event(model, {}, DEGRADED[fate]), b"data: [DONE]\n\n"]
            case "error_event":
                events.append(b'data: {"error": {"type": "server_error", "message": "overloaded"}}\n\n')
        if self.draw.random() < 0.4:
            events = self._cut(b"".join(events))
        gap_s = self.draw.choice((0.0, SPAN_S / (1 + len(events)), 2 * SPAN_S / (1 + len(events))))
        start_s = self.draw.choice((0.0, self.draw.uniform(0, SPAN_S)))
        return [
            (start_s if not index else self.draw.choice((0.0, gap_s, 2 * gap_s)), data)
            for index, data in enumerate(events)
        ]

    def _cut(self, data: bytes) -> list[bytes]:
        at = sorted(self.draw.randrange(1, len(data)) for _ in range(self.draw.randint(1, 12))) if len(data) > 1 else []
        return [data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True) if start < end]

    def _event(self, model: str, delta: dict[str, str], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        chunk = {"id": "x", "object": "chat.completion.chunk", "model": f"{model}-v1", "choices": [choice]}
        return b"data: " + json.dumps(chunk, ensure_ascii=self.draw.random() < 0.5).encode() + b"\n\n"
