"""Edits of YAML texts: the value that is meant changes, and every other byte stays."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from specroute.config.parse import parse
from specroute.tuning.recommended.text_edits import CannotEdit, Drop, Put, edited, edited_data, inline

TEXT = """\
# head
policy:            # who decides
  kind: thresholds
  thresholds:      # both inclusive
    direct_mini: 0.90                     # mini alone
    direct_large: 0.30
    # between the two
    hedge_delay: 250ms
  # certificate: certificate.json

  rules:
    - {name: a, route: large}   # first
    - name: b
      route: mini
# the end
race: {prefer: first_valid, cheapest_grace: 0s}   # which
empty:
"""


@pytest.mark.parametrize(
    ("edit", "old", "new"),
    [
        (Put(("policy", "thresholds", "direct_mini"), 0.95), "mini: 0.90  ", "mini: 0.95  "),
        (Put(("policy", "thresholds", "hedge_delay"), "1.19s"), "delay: 250ms", "delay: 1.19s"),
        (Put(("policy", "thresholds", "new"), 1), "delay: 250ms\n", "delay: 250ms\n    new: 1\n"),
        (Put(("race", "prefer"), "cheapest"), "prefer: first_valid", "prefer: cheapest"),
        (Put(("race", "new"), None), "grace: 0s}", "grace: 0s, new: null}"),
        (Put(("empty",), 3), "empty:\n", "empty: 3\n"),
        (Put(("empty", "deep"), 3), "empty:\n", "empty: {deep: 3}\n"),
        (Put(("policy", "rules", 2), {"name": "c"}), "route: mini\n", "route: mini\n    - {name: c}\n"),
        (Put(("policy", "rules", 0, "route"), "mini"), "a, route: large", "a, route: mini"),
        (Put(("policy", "certificate"), "c.json", after="thresholds"), "250ms\n", "250ms\n  certificate: c.json\n"),
        (Put(("new", "key"), [1, "a b"]), "empty:\n", 'empty:\nnew: {key: [1, "a b"]}\n'),
        (Drop(("policy", "kind")), "  kind: thresholds\n", ""),
        (Drop(("policy", "rules", 1)), "    - name: b\n      route: mini\n", ""),
        (Drop(("race", "cheapest_grace")), ", cheapest_grace: 0s", ""),
        (Put(("policy", "tuned"), {"a": 1, "b": {"c": 2}}, as_block=True, after="thresholds"),
         "250ms\n", "250ms\n  tuned:\n    a: 1\n    b: {c: 2}\n"),
    ],
)  # fmt: skip
def test_an_edit_changes_what_it_names_and_nothing_else(edit: Put | Drop, old: str, new: str) -> None:
    assert TEXT.count(old) == 1

    text = edited(TEXT, [edit])

    assert text == TEXT.replace(old, new)
    assert parse("f", text).root == edited_data(parse("f", TEXT).root, [edit])


def test_a_flow_list_over_several_lines_keeps_its_lines() -> None:
    text = "validators: [\n  complete,\n  not_refusal\n]\n"

    changed = edited(text, [Put(("validators", 2), {"name": "verifier"})])

    assert parse("f", changed).root == {"validators": ("complete", "not_refusal", {"name": "verifier"})}
    assert changed.startswith("validators: [\n  complete,\n  not_refusal")


def test_an_empty_list_gets_its_first_item() -> None:
    assert edited("rules: []\n", [Put(("rules", 0), "a")]) == "rules: [a]\n"


def test_a_file_without_a_last_line_end_is_edited_too() -> None:
    assert edited("a: 1\nb: {c: 2}", [Put(("d",), True)]) == "a: 1\nb: {c: 2}\nd: true"


def test_what_is_not_there_cannot_be_dropped() -> None:
    with pytest.raises(CannotEdit, match="nothing: not there"):
        edited(TEXT, [Drop(("policy", "nothing"))])


def test_a_text_where_a_mapping_belongs_is_refused() -> None:
    with pytest.raises(CannotEdit, match="write it as a mapping"):
        edited("policy: word\n", [Put(("policy", "kind"), "thresholds")])


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    st.floats(0, 1).map(lambda x: round(x, 6)),
    st.text(max_size=8).filter(str.isprintable),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(VALUES)
@example("False")
@example("NULL")
def test_any_value_is_read_back_as_it_was_written(value: Any) -> None:
    edit = Put(("key",), value)

    assert parse("f", edited("a: 1\n", [edit])).root == edited_data({"a": 1}, [edit])


def test_a_duration_and_a_path_need_no_quotes() -> None:
    assert inline({"a": "1.19s", "b": "router_models/default", "c": "gpt-4o-mini|gpt-4o"}) == (
        "{a: 1.19s, b: router_models/default, c: gpt-4o-mini|gpt-4o}"
    )
