"""From the wire to words: parse, check, translate; every violation names its field and the mend.

The proto's own rules run first (protovalidate, about 5 us); then what they cannot say: limits of this server, names
of its tiers, fields that contradict one another, schemas and patterns that do not compile.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import protovalidate
from google.protobuf.message import DecodeError, Message

from specroute.core import request as words
from specroute.core.errors import FieldViolation, InvalidRequest
from specroute.edge.wire import undecodable_field
from specroute.v1 import router_pb2 as pb
from specroute.validators.structured.patterns import RegexError, check_regex
from specroute.validators.structured.schema import SchemaError, check_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.protobuf.duration_pb2 import Duration
    from protovalidate import Violation

M = TypeVar("M", bound=Message)

ROLES = {role.value: role for role in words.Role}
RISKS = {pb.RISK_LOW: words.Risk.LOW, pb.RISK_MEDIUM: words.Risk.MEDIUM, pb.RISK_HIGH: words.Risk.HIGH}
SPECULATIONS = {
    pb.SPECULATION_NEVER: words.Speculation.NEVER,
    pb.SPECULATION_ALWAYS: words.Speculation.ALWAYS,
}

NANOS = 1_000_000_000
MAX_DURATION_S = 315_576_000_000

_VALIDATOR = protovalidate.Validator()


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What this server accepts.

    Attributes:
        tiers: names of the configured tiers, cheapest first.
        max_prompt_bytes: most UTF-8 bytes of all message contents together.
        min_latency_budget_s: least latency budget; less cannot be met.
    """

    tiers: tuple[str, ...]
    max_prompt_bytes: int
    min_latency_budget_s: float


def parse(message: type[M], data: bytes) -> M:
    """Returns the parsed and rule-checked message.

    Raises:
        InvalidRequest: the bytes are not such a message, or break its rules.
    """
    try:
        parsed = message.FromString(data)
    except DecodeError as error:
        field = undecodable_field(message, data)
        if field is None:
            name = message.DESCRIPTOR.full_name
            raise InvalidRequest((FieldViolation("", f"is not a {name}; send one encoded message"),)) from error
        raise InvalidRequest((FieldViolation(field, "is not valid UTF-8; encode it as UTF-8"),)) from error
    violations = _VALIDATOR.collect_violations(parsed)
    if violations:
        raise InvalidRequest(tuple(_field_violation(violation) for violation in violations))
    return parsed


def to_words(message: pb.RouteRequest, limits: RequestLimits, *, place: str = "") -> words.RouteRequest:
    """Returns the request in the service's own words; ``place``: the path of ``message`` in what was sent, with a dot.

    Raises:
        InvalidRequest: something in it cannot be served; names every field.
    """
    request = _read(message)
    violations = tuple(_violations(request, limits))
    if violations:
        raise InvalidRequest(tuple(FieldViolation(place + each.field, each.description) for each in violations))
    return request


def _read(message: pb.RouteRequest) -> words.RouteRequest:
    """Returns the request in the service's own words, not checked against this server."""
    return words.RouteRequest(
        request_id=message.request_id or new_request_id(),
        messages=tuple(_message(turn) for turn in message.messages),
        generation=_generation(message.generation) if message.HasField("generation") else words.Generation(),
        output=_output(message.output) if message.HasField("output") else words.TextOutput(),
        hints=_hints(message.hints) if message.HasField("hints") else words.Hints(),
        constraints=_constraints(message.constraints) if message.HasField("constraints") else words.Constraints(),
        labels=dict(message.labels) if message.labels else words.EMPTY_LABELS,
    )


def new_request_id() -> str:
    """Returns a UUIDv7 (RFC 9562 section 5.7): milliseconds of the wall clock, then random bits."""
    random = os.urandom(10)
    text = (
        (time.time_ns() // 1_000_000).to_bytes(6, "big")
        + bytes((0x70 | random[0] & 0x0F, random[1], 0x80 | random[2] & 0x3F))
        + random[3:]
    ).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _message(turn: pb.Message) -> words.Message:
    return words.Message(
        ROLES[turn.role],
        turn.content,
        tuple(words.ToolCall(call.id, call.name, call.arguments_json) for call in turn.tool_calls),
        turn.tool_call_id,
        turn.name,
    )


def _generation(generation: pb.Generation) -> words.Generation:
    return words.Generation(
        max_output_tokens=generation.max_output_tokens if generation.HasField("max_output_tokens") else None,
        temperature=generation.temperature if generation.HasField("temperature") else None,
        top_p=generation.top_p if generation.HasField("top_p") else None,
        stop=tuple(generation.stop),
        seed=generation.seed if generation.HasField("seed") else None,
        tools=tuple(
            words.Tool(tool.name, tool.description, tool.parameters_json_schema, tool.server_side, tool.not_idempotent)
            for tool in generation.tools
        ),
        tool_choice=generation.tool_choice,
    )


def _output(output: pb.Output) -> words.Output:
    match output.WhichOneof("kind"):
        case "json_object":
            return words.JsonObjectOutput()
        case "json_schema":
            return words.JsonSchemaOutput(output.json_schema.schema, output.json_schema.name, output.json_schema.strict)
        case "regex":
            return words.RegexOutput(output.regex.pattern)
        case "choices":
            return words.ChoicesOutput(tuple(output.choices.values))
        case _:
            return words.TextOutput()


def _hints(hints: pb.Hints) -> words.Hints:
    quality = words.Quality.HIGH if hints.quality == pb.QUALITY_HIGH else words.Quality.STANDARD
    return words.Hints(hints.task_type, RISKS.get(hints.risk), hints.user_tier, hints.session_id, quality)


def _constraints(constraints: pb.Constraints) -> words.Constraints:
    fail = constraints.on_budget == pb.ON_BUDGET_FAIL
    return words.Constraints(
        latency_budget_s=seconds(constraints.latency_budget) if constraints.HasField("latency_budget") else None,
        max_cost_nano_usd=constraints.max_cost_nano_usd if constraints.HasField("max_cost_nano_usd") else None,
        allowed_tiers=tuple(constraints.allowed_tiers),
        force_tier=constraints.force_tier,
        speculation=SPECULATIONS.get(constraints.speculation, words.Speculation.AUTO),
        on_budget=words.OnBudget.FAIL if fail else words.OnBudget.BEST_EFFORT,
    )


def seconds(duration: Duration) -> float:
    """Returns seconds, >= 0; NaN for fields that make no duration (google/protobuf/duration.proto)."""
    if not 0 <= duration.seconds <= MAX_DURATION_S or not 0 <= duration.nanos < NANOS:
        return math.nan
    return duration.seconds + duration.nanos / NANOS


def _violations(request: words.RouteRequest, limits: RequestLimits) -> Iterator[FieldViolation]:
    """Yields what the proto's rules cannot say; fields are paths in ``RouteRequest``."""
    yield from _message_violations(request.messages)
    if request.prompt_bytes > limits.max_prompt_bytes:
        size = f"holds {request.prompt_bytes} bytes of text; send at most {limits.max_prompt_bytes}"
        yield FieldViolation("messages", size)
    yield from _generation_violations(request.generation)
    yield from _output_violations(request.output)
    yield from _constraint_violations(request, limits)


def _message_violations(messages: tuple[words.Message, ...]) -> Iterator[FieldViolation]:
    last = len(messages) - 1
    if messages[last].role not in (words.Role.USER, words.Role.TOOL):
        yield FieldViolation(f"messages[{last}].role", "is not user or tool; end with the message to be answered")
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        if message.tool_calls and message.role is not words.Role.ASSISTANT:
            yield FieldViolation(f"{place}.tool_calls", "is given with another role than assistant; remove it")
        if message.role is words.Role.TOOL and not message.tool_call_id:
            yield FieldViolation(f"{place}.tool_call_id", "is absent; name the call that this message answers")
        if message.role is words.Role.USER and not message.content.strip():
            yield FieldViolation(f"{place}.content", "is empty; send the prompt's text")


def _generation_violations(generation: words.Generation) -> Iterator[FieldViolation]:
    for name, value in (("temperature", generation.temperature), ("top_p", generation.top_p)):
        if value is not None and not math.isfinite(value):
            yield FieldViolation(f"generation.{name}", "is not a finite number")
    names = [tool.name for tool in generation.tools]
    for index, tool in enumerate(generation.tools):
        place = f"generation.tools[{index}]"
        if tool.name in names[:index]:
            yield FieldViolation(f"{place}.name", f"'{tool.name}' is given twice; tool names are unique")
        if tool.parameters_json_schema:
            yield from _schema_violations(f"{place}.parameters_json_schema", tool.parameters_json_schema)
    choice = generation.tool_choice
    if choice and choice != "none" and not names:
        yield FieldViolation("generation.tool_choice", f"is '{choice}' but there are no tools; add generation.tools")
    elif choice not in ("", "auto", "none", "required", *names):
        known = ", ".join(names)
        yield FieldViolation("generation.tool_choice", f"'{choice}' is no tool; use none, required or one of {known}")


def _output_violations(output: words.Output) -> Iterator[FieldViolation]:
    match output:
        case words.JsonSchemaOutput():
            yield from _schema_violations("output.json_schema.schema", output.schema)
        case words.RegexOutput():
            try:
                check_regex(output.pattern)
            except RegexError as error:
                yield FieldViolation("output.regex.pattern", str(error))
        case _:
            return


def _schema_violations(field: str, schema: str) -> Iterator[FieldViolation]:
    try:
        check_schema(schema)
    except SchemaError as error:
        yield FieldViolation(field, str(error))


def _constraint_violations(request: words.RouteRequest, limits: RequestLimits) -> Iterator[FieldViolation]:
    constraints = request.constraints
    known = ", ".join(limits.tiers)
    for index, name in enumerate(constraints.allowed_tiers):
        if name not in limits.tiers:
            field = f"constraints.allowed_tiers[{index}]"
            yield FieldViolation(field, f"'{name}' is no tier of this server; use one of {known}")
    force = constraints.force_tier
    if force and force not in limits.tiers:
        yield FieldViolation("constraints.force_tier", f"'{force}' is no tier of this server; use one of {known}")
    elif force and constraints.allowed_tiers and force not in constraints.allowed_tiers:
        yield FieldViolation(
            "constraints.force_tier", f"'{force}' is not in constraints.allowed_tiers; drop one of them"
        )
    elif force and request.hints.quality is words.Quality.HIGH and force != limits.tiers[-1]:
        contradiction = f"'{force}' is not the strongest tier, but hints.quality is HIGH; drop one of them"
        yield FieldViolation("constraints.force_tier", contradiction)
    budget = constraints.latency_budget_s
    if budget is not None and math.isnan(budget):
        what = f"is no duration; send 0 to {MAX_DURATION_S} seconds and 0 to {NANOS - 1} nanos"
        yield FieldViolation("constraints.latency_budget", what)
    elif budget is not None and budget < limits.min_latency_budget_s:
        least = f"is {budget:g} s; the least that can be met is {limits.min_latency_budget_s:g} s"
        yield FieldViolation("constraints.latency_budget", least)


def _field_violation(violation: Violation) -> FieldViolation:
    path = ""
    for element in violation.proto.field.elements if violation.proto.field else ():
        subscript: Mapping[str, object] | object = element.subscript
        path += f"{'.' if path else ''}{element.field_name}"
        value = getattr(subscript, "value", None)
        if value is not None:
            path += f"[{value!r}]" if isinstance(value, str) else f"[{value}]"
    return FieldViolation(path, violation.proto.message or violation.proto.rule_id or "is not valid")
