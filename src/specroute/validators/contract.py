"""Whether an answer has the form that the request asked for."""

from __future__ import annotations

from specroute.core.outcome import Completion, Prefix, PrefixKind, PrefixVerdict, Verdict, VerdictKind
from specroute.core.request import (
    ChoicesOutput,
    JsonObjectOutput,
    JsonSchemaOutput,
    Output,
    RegexOutput,
    RouteRequest,
    TextOutput,
)
from specroute.validators.structured.json_prefix import judge_json_prefix
from specroute.validators.structured.json_text import NotJson, parse_json, unfenced
from specroute.validators.structured.patterns import RegexError, TooComplex, compile_regex
from specroute.validators.structured.schema import SchemaError, compile_schema
from specroute.validators.structured.tool_calls import missing_call_fault, tool_calls_fault

_NO_CONTRACT = PrefixVerdict(PrefixKind.ACCEPT, "no_contract", is_settled=True)
_UNDECIDED = PrefixVerdict(PrefixKind.UNDECIDED, "needs_the_whole")
_NOT_A_CHOICE = PrefixVerdict(PrefixKind.REJECT, "not_a_choice")


class OutputContract:
    """Rejects an answer that breaks ``request.output``, or tool calls that the caller cannot run.

    An answer that brings tool calls is judged by them, whatever text stands beside them. Reasons: ``not_json``,
    ``not_an_object``, ``schema``, ``regex``, ``not_a_choice``, ``too_complex``, ``invalid_schema``, ``invalid_regex``,
    ``unknown_tool``, ``wrong_tool``, ``unexpected_tool_call``, ``tool_call_missing``, ``tool_arguments_not_json``,
    ``tool_arguments_schema``. Free text of a request without tools keeps its contract trivially: ``no_contract``.
    """

    name = "output_contract"
    is_contract = True
    end_reasons: frozenset[str] = frozenset()

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        """Returns ACCEPT or REJECT; never abstains."""
        generation = request.generation
        if completion.tool_calls:
            fault = tool_calls_fault(generation, completion.tool_calls)
            return self._verdict(fault, "tool_calls" if generation.tools else "tools_not_declared")
        if fault := missing_call_fault(generation):
            return self._verdict(fault, "")
        if isinstance(request.output, TextOutput):
            return self._verdict(None, "no_tool_call" if generation.tools else "no_contract")
        return self._verdict(_text_fault(request.output, completion.text), request.output.kind)

    def judge_prefix(self, request: RouteRequest, prefix: Prefix) -> PrefixVerdict:
        """Settles at once where free text is asked for and no tools; rejects once the text cannot take its form.

        Undecided to the end: an answer that has tool calls or may get some, as they are judged whole and instead of the
        text; a choice that the text may still become; and a pattern, as nearly every text is the beginning of a longer
        one that matches, or of none, and RE2 does not tell which. That an upstream calls tools that were not declared
        is not expected here: such an answer is judged by them at its end.
        """
        if prefix.has_tool_calls or request.generation.tools or missing_call_fault(request.generation):
            return _UNDECIDED
        match request.output:
            case TextOutput():
                return _NO_CONTRACT
            case JsonObjectOutput():
                return judge_json_prefix(prefix.text, None)
            case JsonSchemaOutput():
                return judge_json_prefix(prefix.text, request.output.schema)
            case ChoicesOutput():
                return _UNDECIDED if _can_become_choice(prefix.text, request.output) else _NOT_A_CHOICE
            case RegexOutput():
                return _UNDECIDED

    def _verdict(self, fault: str | None, accepted_as: str) -> Verdict:
        if fault is None:
            return Verdict(self.name, VerdictKind.ACCEPT, accepted_as)
        return Verdict(self.name, VerdictKind.REJECT, fault)


def deliverable_text(request: RouteRequest, completion: Completion) -> str:
    """Returns the text of an answer that keeps its contract, in the form asked for.

    JSON comes without its Markdown fence, a choice without the white space around it; anything else is left alone.
    """
    if completion.tool_calls and request.generation.tools:
        return completion.text
    if isinstance(request.output, JsonObjectOutput | JsonSchemaOutput):
        return unfenced(completion.text)
    if isinstance(request.output, ChoicesOutput) and completion.text not in request.output.values:
        return completion.text.strip()
    return completion.text


def _text_fault(output: Output, text: str) -> str | None:
    match output:
        case JsonObjectOutput():
            return _json_fault(text, None)
        case JsonSchemaOutput():
            return _json_fault(text, output.schema)
        case RegexOutput():
            return _regex_fault(output.pattern, text)
        case ChoicesOutput():
            trimmed = text.strip()
            return None if any(trimmed == value.strip() for value in output.values) else "not_a_choice"
        case TextOutput():
            return None


def _can_become_choice(text: str, output: ChoicesOutput) -> bool:
    begun, trimmed = text.lstrip(), text.strip()
    choices = (value.strip() for value in output.values)
    return any(choice.startswith(begun) or choice == trimmed for choice in choices)


def _json_fault(text: str, schema: str | None) -> str | None:
    body = unfenced(text)
    try:
        value = parse_json(body)
    except NotJson:
        return "not_json"
    if schema is None:
        return None if isinstance(value, dict) else "not_an_object"
    try:
        return None if compile_schema(schema).accepts(value, body) else "schema"
    except SchemaError:
        # The edge refuses such a request before any upstream is called; an answer to it cannot be shown to fit.
        return "invalid_schema"
    except TooComplex:
        return "too_complex"


def _regex_fault(pattern: str, text: str) -> str | None:
    try:
        return None if compile_regex(pattern).accepts(text) else "regex"
    except RegexError:
        # Refused by the edge, too.
        return "invalid_regex"
    except TooComplex:
        return "too_complex"
