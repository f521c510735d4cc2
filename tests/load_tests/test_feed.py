import statistics

from load_tests.inside.feed import Arrivals, CaseFeed, case_key, mean_gap_s
from specroute.load.cases import workload_cases

CASES = workload_cases(3, seed=1)


def test_cases_come_in_their_order_and_begin_again() -> None:
    feed = CaseFeed(CASES)

    assert [feed.take() for _ in range(5)] == [*CASES, *CASES[:2]]


def test_no_more_are_handed_out_than_were_wanted() -> None:
    feed = CaseFeed(CASES, limit=2)

    assert [feed.take() is None for _ in range(4)] == [False, False, True, True]


def test_a_key_tells_cases_apart_and_shows_nothing_of_their_text() -> None:
    keys = {case_key(case) for case in CASES}

    assert len(keys) == len(CASES)
    assert all(len(key) == 16 and int(key, 16) >= 0 for key in keys)


def waits(seed: int, user: int, count: int = 400) -> list[float]:
    arrivals = Arrivals(seed, user, now_s=0.0)
    found = []
    for _ in range(count):
        before_s = arrivals.due_s
        found.append(arrivals.wait_s(2.0, now_s=before_s))
    return found


def test_gaps_are_exponential_with_the_mean_that_was_asked_for() -> None:
    gaps = waits(seed=0, user=0, count=4000)

    assert abs(statistics.mean(gaps) - 2.0) < 0.15
    assert abs(statistics.stdev(gaps) - 2.0) < 0.2


def test_users_have_phases_of_their_own_that_the_seed_fixes() -> None:
    firsts = [waits(seed=7, user=user, count=1)[0] for user in range(20)]

    assert len(set(firsts)) == 20
    assert firsts == [waits(seed=7, user=user, count=1)[0] for user in range(20)]
    assert firsts != [waits(seed=8, user=user, count=1)[0] for user in range(20)]


def test_a_user_that_was_busy_sends_at_once_and_knows_when_it_should_have() -> None:
    arrivals = Arrivals(0, 0, now_s=0.0)

    assert arrivals.wait_s(1.0, now_s=1000.0) == 0.0
    assert 0.0 < arrivals.due_s < 100.0


def test_the_rate_is_one_of_all_users_together() -> None:
    assert mean_gap_s(8.0, 40) == 5.0
    assert mean_gap_s(8.0, 0) == 0.125
