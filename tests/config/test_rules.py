import pytest

from tests.config.documents import VALID, changed, only_problem

RULE = "{name: risky, when: {risk: high}, route: large}"

RULES = [
    ("{when: {risk: high}, route: mini}", ".name: missing; add name: high-risk"),
    ("{name: r, when: {risk: high}}", ": says not what to do; add one of route, start, race, allow"),
    (
        "{name: r, route: mini, allow: [mini]}",
        ".allow: conflicts with route; a rule has one of route, start, race, allow",
    ),
    ("{name: r, route: lage}", ".route: unknown tier 'lage'; did you mean 'large'?"),
    ("{name: r, start: xyz}", ".start: unknown tier 'xyz'; the tiers are mini, large"),
    ("{name: r, race: [mini, medium]}", ".race[1]: unknown tier 'medium'; the tiers are mini, large"),
    ("{name: r, race: [mini]}", ".race: 1 tiers; a race is between two, write [mini, large]"),
    ("{name: r, race: [mini, mini]}", ".race[1]: 'mini' is given twice; keep one"),
    ("{name: r, allow: []}", ".allow: an empty list; give at least one, or remove the key"),
    ("{name: r, allow: mini}", ".allow: 'mini' is not a list; write [a, b] or one '- item' per line"),
    ("{name: r, allow: [big]}", ".allow[0]: unknown tier 'big'; the tiers are mini, large"),
    (
        "{name: r, when: {task_type: Extract Names}, route: mini}",
        ".when.task_type: ",
    ),
    (
        "{name: r, when: {risk: [low, hihg]}, route: mini}",
        ".when.risk[1]: unknown value 'hihg'; did you mean 'high'?",
    ),
    ("{name: r, when: {risk: []}, route: mini}", ".when.risk: an empty list; give at least one, or remove the key"),
    (
        "{name: r, when: {output: xml}, route: mini}",
        ".when.output: unknown value 'xml'; write one of text, json_object, json_schema, regex, choices",
    ),
    (
        "{name: r, when: {quality: best}, route: mini}",
        ".when.quality: unknown value 'best'; write one of standard, high",
    ),
    (
        "{name: r, when: {min_input_tokens: 5, max_input_tokens: 4}, route: mini}",
        ".when.min_input_tokens: 5 is above max_input_tokens, 4; the rule can never match",
    ),
    (
        "{name: r, when: {max_input_tokens: -1}, route: mini}",
        ".when.max_input_tokens: -1 is too small; write 0 or more",
    ),
    ("{name: r, when: {min_turns: 0}, route: mini}", ".when.min_turns: 0 is too small; write 1 or more"),
    ("{name: r, when: {has_tools: 1}, route: mini}", ".when.has_tools: 1 is neither true nor false; write one of them"),
    ("{name: r, when: {labels: {a: [x, 1]}}, route: mini}", ".when.labels.a[1]: 1 is not text; write it in quotes"),
    (
        "{name: r, when: {labels: [a]}, route: mini}",
        ".when.labels: the value is not a mapping; write 'key: value' lines",
    ),
    (
        "{name: r, route: mini, validators: [completed]}",
        ".validators[0]: unknown validator 'completed'; did you mean 'complete'?",
    ),
    ("{name: r, route: mini, review: 'yes'}", ".review: 'yes' is neither true nor false; write one of them"),
]


@pytest.mark.parametrize(("rule", "expected"), RULES)
def test_a_wrong_rule_names_line_key_and_mend(rule: str, expected: str) -> None:
    assert only_problem(changed(RULE, rule)).startswith(f"specroute.yaml:21: policy.rules[0]{expected}")


def test_two_rules_of_one_name_are_refused() -> None:
    text = f"{VALID}    - {{name: risky, start: mini}}\n"

    assert only_problem(text) == (
        "specroute.yaml:22: policy.rules[1].name: 'risky' is taken; give it a name of its own"
    )


def test_a_rule_after_one_that_matches_everything_is_refused() -> None:
    text = changed(RULE, "{name: all, route: mini}") + f"    - {RULE}\n"

    assert only_problem(text) == (
        "specroute.yaml:22: policy.rules[1]: never reached, rule 'all' before it matches every request; move it up"
    )
