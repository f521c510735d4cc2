from dataclasses import replace

import pytest

from specroute.learn.certificate.certify import certify
from specroute.learn.certificate.options import CalibrateOptions
from specroute.learn.certificate.redraws import Record, redraw, resplit
from tests.learn.certificate.drawn import FILES, drawn

OPTIONS = CalibrateOptions(policy="cascade")


@pytest.fixture(scope="module")
def records() -> list[Record]:
    rows = drawn(2000)
    done = certify(rows, OPTIONS, files=FILES)
    return redraw(done, draws=100, n=600, seed=1) + resplit(rows, OPTIONS, draws=30)


def test_a_certificate_keeps_its_promise_where_naive_tuning_breaks_it(records: list[Record]) -> None:
    for record in records:
        if record.is_certified:
            assert record.broken <= 0.12, record
        else:
            assert record.broken > 0.2, record


def test_naive_tuning_saves_more_than_it_may(records: list[Record]) -> None:
    for certified, naive in zip(records[::2], records[1::2], strict=True):
        assert (certified.is_certified, naive.is_certified) == (True, False)
        assert naive.saved > certified.saved
        assert naive.loss > certified.loss


def test_both_methods_are_drawn_and_split(records: list[Record]) -> None:
    assert [(record.how, record.method) for record in records[::2]] == [
        ("draws", "binomial"),
        ("draws", "betting"),
        ("splits", "binomial"),
        ("splits", "betting"),
    ]
    assert all(record.broken_lo <= record.broken <= record.broken_hi for record in records)
    assert [record.held_out_broken is None for record in records] == [True] * 4 + [False] * 4


def test_too_few_rows_to_certify_deploy_always_large(records: list[Record]) -> None:
    done = certify(drawn(1000), OPTIONS, files=FILES)

    few = redraw(done, draws=5, n=100, seed=1)

    assert [(record.saved, record.broken) for record in few if record.is_certified] == [(0.0, 0.0)] * 2


def test_the_seed_decides_everything() -> None:
    rows = drawn(600)

    assert resplit(rows, OPTIONS, draws=3) == resplit(rows, OPTIONS, draws=3)
    assert resplit(rows, OPTIONS, draws=3) != resplit(rows, replace(OPTIONS, seed=5), draws=3)
