"""Holds tool calls against the functions that were offered and against the words of the request."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

from specroute.predictor.verifier.calling.calls import Bare
from specroute.predictor.verifier.calling.tools import plain_name
from specroute.predictor.verifier.reading.words import stems, stems_of, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.predictor.verifier.calling.calls import Call, Calls
    from specroute.predictor.verifier.calling.tools import Parameter, Toolbox, ToolSpec
    from specroute.predictor.verifier.reading.text import Text

CALL_NAMES = (
    "tools",
    "calls",
    "call_json",
    "call_extra",
    "call_lists",
    "distinct_functions",
    "repeated_calls",
    "unknown_function",
    "missing_required",
    "unknown_argument",
    "positional",
    "wrong_type",
    "text_for_number",
    "not_a_choice",
    "bare_value",
    "optional_given",
    "optional_open",
    "optional_unsaid",
    "unsaid_text",
    "unsaid_number",
    "unsaid_least",
    "empty_value",
    "arguments",
    "longest_list",
    "nested",
    "said_numbers_used",
    "name_in_request",
    "request_in_function",
    "rival_in_function",
    "parameter_in_request",
    "request_words",
    "request_ands",
    "request_commas",
    "request_numbers",
    "request_quotes",
    "request_sequence",
    "request_question",
    "request_imperative",
    "parameters_offered",
    "required_offered",
    "camel_name",
)
"""What is measured of tool calls, in order; counts, shares in [0, 1], -1 where there is nothing to measure."""

_MAX_STEMMED = 2_000
_NUMBER_WORDS = {
    word: value
    for value, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    )
}
_SEQUENCE = (" then ", " also ", " after that", " finally", " next,", " lastly", " second", " additionally", " as well")
_ASKS = ("who", "what", "where", "when", "which", "why", "is", "are", "does", "do", "did")
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "int": (int,),
    "long": (int,),
    "number": (int, float),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "tuple": (list,),
    "list": (list,),
    "arraylist": (list,),
    "dict": (dict,),
    "object": (dict,),
    "hashmap": (dict,),
}


class _Tally:
    """Counts over all arguments of all calls."""

    def __init__(self, request: Text) -> None:
        self.read, self.lower = request.read, request.lower
        self.listed = words(request.read)
        self.words = frozenset(self.listed)
        said = {abs(number.value) for number in request.numbers}
        self.said = said | {_NUMBER_WORDS[word] for word in self.words & _NUMBER_WORDS.keys()}
        self.ordered = sorted(self.said)
        self.used: set[float] = set()
        self.count = dict.fromkeys(CALL_NAMES, 0.0)
        self.texts = [0.0, 0.0]
        self.numbers = [0.0, 0.0]
        self.optional = [0.0, 0.0]
        self.least = 1.0

    def saying(self, value: object) -> float | None:
        """Returns to which share ``value`` is said in the request; ``None``: nothing of it could be."""
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, int | float):
            return self._number(float(value))
        if isinstance(value, str | Bare):
            return self._text(value.text if isinstance(value, Bare) else value)
        items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        self.count["longest_list"] = max(self.count["longest_list"], float(len(items)))
        found = [share for item in items[:40] if (share := self.saying(item)) is not None]
        return sum(found) / len(found) if found else None

    def _number(self, value: float) -> float:
        value = abs(value)
        hit = next((each for each in (value, value * 100.0, value / 100.0, value / 1000.0, value * 1000.0)
                    if self._is_said(each)), None)  # fmt: skip
        if hit is not None:
            self.used.add(hit)
        self.numbers[0] += hit is not None
        self.numbers[1] += 1
        return float(hit is not None)

    def _is_said(self, size: float) -> bool:
        """Whether a number of the request is the same but for rounding: the next below or above, if any is."""
        at = bisect_left(self.ordered, size)
        return any(math.isclose(size, near, rel_tol=1e-6) for near in self.ordered[max(0, at - 1) : at + 1])

    def _text(self, value: str) -> float | None:
        lower = value.lower().strip()
        if not lower:
            self.count["empty_value"] += 1
            return None
        if lower in self.lower:
            share = 1.0
        else:
            parts = words(lower)
            share = sum(map(self.words.__contains__, parts)) / len(parts) if parts else 0.0
        self.texts[0] += share
        self.texts[1] += 1
        return share


def check_calls(found: Calls, toolbox: Toolbox, request: Text) -> list[float]:
    """Returns the measures of ``CALL_NAMES``; ``request`` is the text of ``toolbox.request``."""
    tally = _Tally(request)
    count = tally.count
    count["tools"] = float(len(toolbox.tools))
    count["calls"] = float(len(found.calls))
    count["call_json"], count["call_extra"] = float(found.is_json), math.log1p(found.extra_chars)
    count["call_lists"] = float(found.lists)
    names = [plain_name(call.name) for call in found.calls]
    count["distinct_functions"] = float(len(set(names)))
    count["repeated_calls"] = float(
        len(found.calls) - len({repr((call.name, call.arguments, call.positional)) for call in found.calls})
    )
    chosen = []
    for name, call in zip(names, found.calls, strict=True):
        spec = toolbox.tools.get(name)
        if spec is None:
            count["unknown_function"] += 1
        else:
            chosen.append(spec)
        _check_arguments(call, spec, tally)
    _finish(tally)
    _compare_words(toolbox, chosen, tally)
    _describe_request(toolbox.request, request, count)
    _describe_functions(chosen or list(toolbox.tools.values()), count)
    return [count[name] for name in CALL_NAMES]


def _check_arguments(call: Call, spec: ToolSpec | None, tally: _Tally) -> None:
    count = tally.count
    count["positional"] += call.positional
    count["arguments"] += len(call.arguments)
    if spec is not None:
        count["missing_required"] += sum(name not in call.arguments for name in spec.required)
        count["optional_open"] += sum(n not in call.arguments and n not in spec.required for n in spec.parameters)
    for name, value in list(call.arguments.items())[:40]:
        parameter = None
        if spec is not None:
            parameter = spec.parameters.get(name)
            if parameter is None:
                count["unknown_argument"] += 1
        if parameter is not None:
            _check_type(value, parameter, tally)
        share = tally.saying(value)
        count["nested"] += isinstance(value, dict | list)
        if share is not None:
            tally.least = min(tally.least, share)
        if spec is not None and name not in spec.required:
            count["optional_given"] += 1
            tally.optional[0] += 1.0 - (0.0 if share is None else share)
            tally.optional[1] += 1


def _check_type(value: object, parameter: Parameter, tally: _Tally) -> None:
    if isinstance(value, Bare):
        tally.count["bare_value"] += 1
        return
    expected = _TYPES.get(parameter.kind)
    if expected is not None and value is not None:
        fits = isinstance(value, expected) and not (isinstance(value, bool) and bool not in expected)
        tally.count["wrong_type"] += not fits
        tally.count["text_for_number"] += isinstance(value, str) and int in expected
    if parameter.choices and not isinstance(value, list):
        tally.count["not_a_choice"] += str(value) not in parameter.choices


def _finish(tally: _Tally) -> None:
    count = tally.count
    count["unsaid_text"] = tally.texts[1] - tally.texts[0]
    count["unsaid_number"] = tally.numbers[1] - tally.numbers[0]
    count["optional_unsaid"] = tally.optional[0]
    count["unsaid_least"] = 1.0 - tally.least
    count["said_numbers_used"] = len(tally.used & tally.said) / len(tally.said) if tally.said else -1.0


def _compare_words(toolbox: Toolbox, chosen: Sequence[ToolSpec], tally: _Tally) -> None:
    count = tally.count
    specs = chosen or list(toolbox.tools.values())

    def shared(part: frozenset[str], whole: frozenset[str]) -> float:
        return len(part & whole) / len(part) if part else -1.0

    if not specs:
        for name in ("name_in_request", "request_in_function", "rival_in_function", "parameter_in_request"):
            count[name] = -1.0
        return
    head = toolbox.request[:_MAX_STEMMED]
    asked = stems_of(tally.listed) if head == tally.read else stems(head)
    count["name_in_request"] = sum(shared(spec.name_stems, asked) for spec in specs) / len(specs)
    together = frozenset[str]().union(*(spec.all_stems for spec in specs))
    count["request_in_function"] = shared(asked, together)
    rivals = [spec for spec in toolbox.tools.values() if spec not in chosen]
    count["rival_in_function"] = max((shared(asked, spec.all_stems) for spec in rivals), default=-1.0)
    required = frozenset[str]().union(*(stems(" ".join(spec.required), is_name=True) for spec in specs))
    count["parameter_in_request"] = shared(required, asked)


def _describe_request(raw: str, request: Text, count: dict[str, float]) -> None:
    lower = request.lower
    count["request_words"] = math.log1p(request.words)
    count["request_ands"] = float(lower.count(" and "))
    count["request_commas"] = float(lower.count(", "))
    count["request_numbers"] = float(len(request.numbers))
    count["request_quotes"] = float(request.count("'") + request.count('"')) / 2.0
    count["request_sequence"] = float(sum(lower.count(mark) for mark in _SEQUENCE))
    opening = raw.split(None, 1)[:1]
    count["request_question"] = float(bool(opening) and opening[0].lower().strip("'s,\"") in _ASKS)
    count["request_imperative"] = float(lower.rstrip()[-1:] != "?")


def _describe_functions(specs: Sequence[ToolSpec], count: dict[str, float]) -> None:
    count["parameters_offered"] = float(max((len(spec.parameters) for spec in specs), default=0))
    count["required_offered"] = float(max((len(spec.required) for spec in specs), default=0))
    count["camel_name"] = float(any(name != name.lower() for spec in specs for name in (spec.name, *spec.parameters)))
