"""A run as data: the shape that others read, whole and half-way."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from specroute.tuning.report.document import FIGURES, to_document
from specroute.tuning.report.run import Run
from specroute.tuning.targets import Targets
from tests.tuning.found import PAIR, do_not_route, found
from tests.tuning.report.made_up import confirmation, run, whole_run

if TYPE_CHECKING:
    from pathlib import Path


def document(of: Run) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(to_document(of), allow_nan=False))
    return plain


def test_every_policy_has_every_figure_with_its_interval(tmp_path: Path) -> None:
    policies = document(whole_run(tmp_path))["policies"]

    assert next(iter(policies)) == "recommended"
    assert len(policies) == 11
    for policy in policies.values():
        assert list(policy) == list(FIGURES)
        measured = [figure for name, figure in policy.items() if name != "deadline_hit_ratio"]
        assert all(set(figure) == {"value", "lo", "hi"} for figure in measured)
        assert policy["deadline_hit_ratio"] is None


def test_answer_reasons_targets_and_origin_are_told(tmp_path: Path) -> None:
    told = document(whole_run(tmp_path))

    assert (told["answer"], told["partial"], told["mode"], told["pair"]) == ("route", False, "interactive", "tiny|huge")
    assert told["reasons"] == list(found().advice.reasons)
    assert (told["n_tuning"], told["n_holdout"], told["left_out"]) == (1200, 600, 30)
    assert told["targets"]["p99_bound"] == 0.95
    assert told["optimum"]["spans"]["hedge_delay_s"] == {"chosen": 1.19, "lo": 0.9, "hi": 1.5}
    assert told["optimum"]["candidates"] == 12_345
    assert told["shuffle"]["p_value"] == 0.001
    assert (told["certified"]["confidence"], told["certified"]["covers_recommended"]) == (0.95, False)
    assert told["settings"]["recommended"]["hedge_delay_s"] == 1.19
    assert told["settings"]["random"] is None
    assert told["recommendation"]["diff"].startswith("# specroute tune: interactive")
    assert told["confirmation"]["policies"]["recommended"]["same_plans"] == 1.0


def test_a_run_that_says_do_not_route_recommends_nothing(tmp_path: Path) -> None:
    told = document(run(do_not_route(), tmp_path))

    assert told["answer"] == "always_large"
    assert told["headline"] == "Do not route: send everything to the large model."
    assert told["recommendation"] is told["shuffle"] is told["certified"] is None


def test_a_run_that_was_stopped_before_it_found_anything_has_every_key(tmp_path: Path) -> None:
    stopped = Run("specroute tune", PAIR, Targets(), "scoring rows.jsonl", is_partial=True)

    told = document(stopped)

    assert set(told) == set(document(whole_run(tmp_path)))
    assert (told["partial"], told["answer"], told["policies"]) == (True, None, None)
    assert told["reasons"] == ["The run was stopped while scoring rows.jsonl: what comes after that is missing."]


def test_what_the_confirmation_disagrees_about_is_among_the_reasons(tmp_path: Path) -> None:
    told = document(run(found(), tmp_path, confirmed=confirmation(p50_s=1.4)))

    assert told["reasons"][-1] == ("Not confirmed: recommended: p50 1.10 s by the engine, 1.40 s by the live service.")


def test_a_stopped_run_keeps_what_it_found(tmp_path: Path) -> None:
    stopped = replace(whole_run(tmp_path), is_partial=True, stage="live under load")

    told = document(stopped)

    assert (told["partial"], told["answer"]) == (True, "route")
    assert "live under load" in told["reasons"][-1]
