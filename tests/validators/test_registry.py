from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from specroute.core.outcome import VerdictKind
from specroute.validators.registry import BUILT_IN, load_validator
from tests.validators.builders import a_request, an_answer

if TYPE_CHECKING:
    from pathlib import Path

MODULE = "tests.validators.user_validators"


def test_the_built_in_validators_carry_the_names_they_are_listed_under() -> None:
    assert {name: make().name for name, make in BUILT_IN.items()} == {name: name for name in BUILT_IN}
    assert set(BUILT_IN) == {
        "complete",
        "not_refusal",
        "output_contract",
        "not_repetitive",
        "same_script",
        "confidence",
        "consistent",
    }


@pytest.mark.parametrize("attribute", ["Polite", "POLITE", "make_polite", "Shelf.polite", "EarlyPolite"])
def test_a_users_validator_is_a_class_a_function_or_an_object(attribute: str) -> None:
    validator = load_validator(f"{MODULE}:{attribute}")

    assert validator.name == "polite"
    assert validator.judge(a_request(), an_answer("Yes, please.")).kind is VerdictKind.ACCEPT


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("polite", "package.module:attribute"),
        (":Polite", "package.module:attribute"),
        (f"{MODULE}:", "package.module:attribute"),
        ("no_such_package.validators:Polite", "no module 'no_such_package'"),
        (f"{MODULE}:Missing", "has no 'Missing'"),
        (f"{MODULE}:NeedsArguments", "calling it without arguments failed"),
        (f"{MODULE}:Nameless", "`name`"),
        (f"{MODULE}:TakesABuiltInName", "built-in"),
        (f"{MODULE}:TakesTheVerifiersName", "built-in"),
        (f"{MODULE}:WithoutContract", "`is_contract`"),
        (f"{MODULE}:HalfLearnt", "`is_learnt` is a bool"),
        (f"{MODULE}:Asynchronous", "not async"),
        (f"{MODULE}:WithoutCompletion", "(request, completion)"),
        (f"{MODULE}:WithoutJudge", "`judge(request, completion) -> Verdict`"),
        (f"{MODULE}:NUMBER", "`name`"),
        (f"{MODULE}:WithoutEndReasons", "`end_reasons`"),
        (f"{MODULE}:AsynchronousPrefix", "`judge_prefix` must be a plain function"),
    ],
)
def test_what_is_no_validator_is_refused_in_one_line(path: str, complaint: str) -> None:
    with pytest.raises(ValueError, match="validator") as caught:
        load_validator(path)

    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_module_that_fails_to_import_is_named_with_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_user_module.py").write_text("raise RuntimeError('first\\nsecond')")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ValueError, match="importing broken_user_module failed: RuntimeError: first second"):
        load_validator("broken_user_module:Polite")
    sys.modules.pop("broken_user_module", None)
