"""The validators that a configuration can name: the built-in ones, and a user's own by import path."""

from __future__ import annotations

import importlib
import inspect
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import re2

from specroute.validators.completeness import Complete
from specroute.validators.contract import OutputContract
from specroute.validators.quality.confidence import Confidence
from specroute.validators.quality.consistent import Consistent
from specroute.validators.quality.repetition import NotRepetitive
from specroute.validators.quality.script import SameScript
from specroute.validators.refusal import NotRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from specroute.core.ports import Validator

BUILT_IN: Mapping[str, Callable[[], Validator]] = MappingProxyType(
    {
        Complete.name: Complete,
        NotRefusal.name: NotRefusal,
        OutputContract.name: OutputContract,
        NotRepetitive.name: NotRepetitive,
        SameScript.name: SameScript,
        Confidence.name: Confidence,
        Consistent.name: Consistent,
    }
)
"""A name and what makes its validator without arguments. ``Confidence`` takes options, too."""

VERIFIER = "verifier"
"""The name of the learnt one, which is made from a model's folder."""

_NAME = re2.compile(r"[a-z][a-z0-9_]{0,63}")


def load_validator(path: str) -> Validator:
    """Returns the user's validator at ``package.module:attribute``; for start-up, never per request.

    The attribute is a validator, or a class or function that returns one when called without arguments.

    Raises:
        ValueError: one line that says what is wrong and how to mend it.
    """
    module_name, colon, attribute = path.partition(":")
    if not colon or not module_name or not attribute:
        raise ValueError(f"validator {path!r}: write it as package.module:attribute")
    found = _attribute(path, module_name, attribute)
    is_factory = inspect.isclass(found) or (callable(found) and not hasattr(found, "judge"))
    validator = _called(path, found) if is_factory else found
    _check(path, validator)
    return cast("Validator", validator)


def _attribute(path: str, module_name: str, attribute: str) -> object:
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ValueError(f"validator {path!r}: no module {error.name!r}; install it or set PYTHONPATH") from error
    except Exception as error:  # a user's module can raise anything while it is imported
        raise ValueError(f"validator {path!r}: importing {module_name} failed: {_one_line(error)}") from error
    found: object = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ValueError(f"validator {path!r}: {module_name} has no {attribute!r}; check the spelling")
        found = getattr(found, part)
    return found


def _called(path: str, factory: object) -> object:
    try:
        return cast("Callable[[], object]", factory)()
    except Exception as error:  # a user's code can raise anything
        raise ValueError(
            f"validator {path!r}: calling it without arguments failed: {_one_line(error)}; name a factory instead"
        ) from error


def _check(path: str, validator: object) -> None:
    name = getattr(validator, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"validator {path!r}: give it a snake_case `name`, a str of at most 64 characters")
    if name in BUILT_IN or name == VERIFIER:
        raise ValueError(f"validator {path!r}: its name {name!r} is a built-in validator's; choose another")
    if not isinstance(getattr(validator, "is_contract", None), bool):
        raise ValueError(
            f"validator {path!r}: give it `is_contract`, a bool: may a rejected answer never be delivered?"
        )
    if not callable(getattr(validator, "judge", None)):
        raise ValueError(f"validator {path!r}: give it a method `judge(request, completion) -> Verdict`")
    _check_method(path, validator, "judge", "(request, completion)")
    if not isinstance(getattr(validator, "is_learnt", False), bool):
        raise ValueError(f"validator {path!r}: `is_learnt` is a bool, or left out")
    if hasattr(validator, "judge_prefix"):
        _check_method(path, validator, "judge_prefix", "(request, prefix)")
        reasons = getattr(validator, "end_reasons", None)
        if not isinstance(reasons, frozenset) or not all(isinstance(reason, str) for reason in reasons):
            raise ValueError(
                f"validator {path!r}: with `judge_prefix`, give it `end_reasons`, a frozenset of str; it may be empty"
            )


def _check_method(path: str, validator: object, name: str, arguments: str) -> None:
    method = getattr(validator, name)
    if inspect.iscoroutinefunction(method):
        raise ValueError(f"validator {path!r}: `{name}` must be a plain function, not async")
    try:
        inspect.signature(method).bind(None, None)
    except (TypeError, ValueError) as error:
        raise ValueError(f"validator {path!r}: `{name}` must take {arguments}: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
