"""What is asked: one request in the service's own words.

Built at the edge from the wire message, read by everything inwards, never changed. Facts that the policy needs and that
follow from the text alone (token estimate, turns) are derived here, once, so that a rule, a price estimate and a report
can never disagree about them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BYTES_PER_TOKEN = 4
"""UTF-8 bytes per token of the estimate. English text measures 4.0-4.6 with the GPT-4o tokenizer."""

EMPTY_LABELS: Mapping[str, str] = MappingProxyType({})


class Role(Enum):
    """Who wrote a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Risk(Enum):
    """How much harm a wrong answer does, as the caller states it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Quality(Enum):
    """The caller's wish: HIGH never runs DIRECT on a tier below the strongest."""

    STANDARD = "standard"
    HIGH = "high"


class Speculation(Enum):
    """The caller's bound on speculative legs."""

    AUTO = "auto"
    NEVER = "never"
    ALWAYS = "always"


class OnBudget(Enum):
    """What to do when the latency budget is over, or every leg is judged, and no answer was accepted."""

    BEST_EFFORT = "best_effort"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that a model asks for. ``arguments_json`` is the model's text, not yet checked."""

    id: str
    name: str
    arguments_json: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the model may call. ``server_side`` or ``not_idempotent`` tools forbid speculation."""

    name: str
    description: str = ""
    parameters_json_schema: str = ""
    server_side: bool = False
    not_idempotent: bool = False


@dataclass(frozen=True, slots=True)
class Generation:
    """Sampling parameters; ``None`` leaves the upstream's default. ``tool_choice``: "", none, required or a name."""

    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: str = ""


@dataclass(frozen=True, slots=True)
class TextOutput:
    """Free text."""

    kind = "text"


@dataclass(frozen=True, slots=True)
class JsonObjectOutput:
    """Any JSON object."""

    kind = "json_object"


@dataclass(frozen=True, slots=True)
class JsonSchemaOutput:
    """JSON that satisfies ``schema`` (JSON Schema 2020-12 text)."""

    schema: str
    name: str = ""
    strict: bool = False
    kind = "json_schema"


@dataclass(frozen=True, slots=True)
class RegexOutput:
    """Text that matches ``pattern`` (RE2 syntax) as a whole."""

    pattern: str
    kind = "regex"


@dataclass(frozen=True, slots=True)
class ChoicesOutput:
    """Text that, trimmed, equals one of ``values``."""

    values: tuple[str, ...]
    kind = "choices"


Output = TextOutput | JsonObjectOutput | JsonSchemaOutput | RegexOutput | ChoicesOutput


@dataclass(frozen=True, slots=True)
class Hints:
    """What the caller knows about the request; "" and ``None`` mean unknown, and a rule on them then does not match."""

    task_type: str = ""
    risk: Risk | None = None
    user_tier: str = ""
    session_id: str = ""
    quality: Quality = Quality.STANDARD


@dataclass(frozen=True, slots=True)
class Constraints:
    """What the caller insists on.

    Attributes:
        latency_budget_s: soft target in seconds from arrival, > 0; ``None``: no budget but the deadline.
        max_cost_nano_usd: bound on the sum of all legs, >= 0; ``None``: unbounded.
        allowed_tiers: the tiers that may be used; empty: all.
        force_tier: the one tier to use, without escalation; "": none.
    """

    latency_budget_s: float | None = None
    max_cost_nano_usd: int | None = None
    allowed_tiers: tuple[str, ...] = ()
    force_tier: str = ""
    speculation: Speculation = Speculation.AUTO
    on_budget: OnBudget = OnBudget.BEST_EFFORT


@dataclass(frozen=True)
class RouteRequest:
    """One request. ``labels`` serve rules and reports and are never sent upstream."""

    request_id: str
    messages: tuple[Message, ...]
    generation: Generation = Generation()
    output: Output = TextOutput()
    hints: Hints = Hints()
    constraints: Constraints = Constraints()
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY_LABELS)

    @cached_property
    def prompt_bytes(self) -> int:
        """The UTF-8 size of all message contents, in bytes."""
        return sum(utf8_length(message.content) for message in self.messages)

    @property
    def input_tokens(self) -> int:
        """The estimated prompt tokens: UTF-8 bytes / 4, rounded up."""
        return estimated_tokens(self.prompt_bytes)

    @property
    def turns(self) -> int:
        """The number of user messages."""
        return sum(message.role is Role.USER for message in self.messages)

    @property
    def last_user_text(self) -> str:
        """The content of the last user message, or "" where there is none: what the predictor reads."""
        for message in reversed(self.messages):
            if message.role is Role.USER:
                return message.content
        return ""

    @property
    def is_speculation_safe(self) -> bool:
        """Whether two models may run at once: no tool runs on the server's side or changes the world twice."""
        return not any(tool.server_side or tool.not_idempotent for tool in self.generation.tools)


def estimated_tokens(size_bytes: int) -> int:
    """Returns how many tokens a text of so many UTF-8 bytes has: bytes / 4, rounded up."""
    return -(-size_bytes // BYTES_PER_TOKEN)


def utf8_length(text: str) -> int:
    """Returns the size of ``text`` in UTF-8 bytes."""
    # str.isascii is O(1) in CPython, so plain English text is not encoded just to be counted.
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
