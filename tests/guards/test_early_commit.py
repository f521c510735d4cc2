"""A bet that is lost too often is not made any more, and made again once it is won often enough."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from specroute.guards.early_commit import PRIOR_ERROR_RATIO, EarlyCommits


def test_early_commits_are_allowed_before_anything_was_seen() -> None:
    commits = EarlyCommits(0.02)

    assert commits.error_ratio("mini text") == PRIOR_ERROR_RATIO
    assert commits.allows("mini text")


def test_a_bound_below_the_prior_forbids_them_until_enough_were_upheld() -> None:
    commits = EarlyCommits(0.005)

    assert not commits.allows("mini json_object")
    for _ in range(150):
        commits.settle("mini json_object", upheld=True)
    assert commits.allows("mini json_object")


def test_failures_beyond_the_bound_forbid_them() -> None:
    commits = EarlyCommits(0.02)

    for _ in range(2):
        commits.settle("mini json_object", upheld=False)

    assert not commits.allows("mini json_object")


def test_one_kind_does_not_speak_for_another() -> None:
    commits = EarlyCommits(0.02)

    for _ in range(5):
        commits.settle("mini json_object", upheld=False)

    assert commits.allows("mini text")


def test_a_bad_spell_is_forgotten_as_answers_hold_again() -> None:
    commits = EarlyCommits(0.02)
    for _ in range(50):
        commits.settle("mini text", upheld=False)
    assert not commits.allows("mini text")

    for _ in range(2_000):
        commits.settle("mini text", upheld=True)

    assert commits.allows("mini text")


def test_a_bound_of_zero_never_allows_one_and_of_one_always_does() -> None:
    never, always = EarlyCommits(0.0), EarlyCommits(1.0)
    for _ in range(100):
        never.settle("mini text", upheld=True)
        always.settle("mini text", upheld=False)

    assert not never.allows("mini text")
    assert always.allows("mini text")


@given(st.lists(st.booleans(), max_size=300))
def test_the_ratio_is_a_chance_and_follows_what_was_seen(upheld: list[bool]) -> None:
    commits = EarlyCommits(0.02)

    for each in upheld:
        before = commits.error_ratio("kind")
        commits.settle("kind", upheld=each)
        assert 0.0 <= commits.error_ratio("kind") <= 1.0
        assert (commits.error_ratio("kind") < before) == each
