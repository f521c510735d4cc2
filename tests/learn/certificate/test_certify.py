import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from specroute.learn.certificate.certify import certify
from specroute.learn.certificate.options import CalibrateOptions, CalibrationError
from specroute.learn.play import Cuts, play
from specroute.predictor.certificate import Certificate, CertifiedCuts
from tests.learn.certificate.drawn import FILES, drawn

OPTIONS = CalibrateOptions(policy="cascade")


def certified(count: int = 2500, options: CalibrateOptions = OPTIONS, **world: object) -> Certificate:
    return certify(drawn(count, **world), options, files=FILES).certificate  # type: ignore[arg-type]


def test_what_is_deployed_is_the_last_policy_that_passed() -> None:
    certificate = certified()

    assert not certificate.always_large
    assert certificate.thresholds == certificate.path[certificate.step - 1].cuts
    assert [step.passed for step in certificate.path] == [True] * certificate.step + [False]
    assert certificate.path[certificate.step - 1].p_value <= 0.05 < certificate.path[certificate.step].p_value
    assert certificate.loss.value <= certificate.loss.upper <= certificate.alpha
    assert 0.0 < certificate.saved.lo <= certificate.saved.value <= certificate.saved.hi < 1.0


def test_the_written_cuts_do_what_was_tested() -> None:
    done = certify(drawn(2500), OPTIONS, files=FILES)
    cuts, rows = done.certificate.thresholds, done.split.calibration

    played = play(rows, Cuts(1.1, -0.1 if cuts.direct_large is None else cuts.direct_large, cuts.min_p))

    failures = int((rows.large_ok > played.correct).sum())
    assert failures == done.certificate.path[done.certificate.step - 1].failures
    assert done.certificate.saved.value == pytest.approx(
        1.0 - played.cost_usd.sum() / rows.large_cost_usd.sum(), abs=1e-6
    )


@pytest.mark.parametrize("count", [30, 180])
def test_fewer_than_149_clusters_certify_nothing_and_the_certificate_says_so(count: int) -> None:
    certificate = certified(count, duplicates=5)

    assert certificate.n < 149
    assert certificate.always_large
    assert certificate.thresholds == CertifiedCuts(None, 1.0, None)
    assert "it takes at least 149" in certificate.statement
    assert certificate.path == ()
    assert (certificate.saved.value, certificate.loss.value, certificate.loss.upper) == (0.0, 0.0, 0.0)


def test_where_even_the_first_policy_fails_everything_goes_to_the_large_model() -> None:
    rows = drawn(1500)
    useless = replace(rows, mini_ok=np.zeros(1500), large_ok=np.ones(1500))

    certificate = certify(useless, OPTIONS, files=FILES).certificate

    assert certificate.always_large
    assert certificate.step == 0
    assert certificate.statement.startswith("Nothing is certified, and every request goes to the large model: ")


def test_a_world_of_duplicates_is_worth_no_more_than_its_clusters() -> None:
    once, often = certified(700), certified(700, duplicates=6)

    assert once.n == often.n
    assert often.calibration.rows == 6 * once.calibration.rows


def test_the_signed_loss_certifies_more_where_the_mini_rescues() -> None:
    failures, signed = (certified(4000, replace(OPTIONS, method=method)) for method in ("binomial", "betting"))

    assert signed.saved.value > failures.saved.value
    assert signed.requires.prefer == "cheapest"
    assert failures.requires.prefer == "any"
    assert "as long as a large answer never displaces an accepted mini answer" in signed.statement


def test_without_a_verifier_the_path_has_direct_cuts_only() -> None:
    certificate = certified(4000, CalibrateOptions(alpha=0.1), with_verifier=False)

    assert (certificate.policy, certificate.verifier) == ("direct", False)
    assert certificate.thresholds.min_p is None
    assert not certificate.always_large


def test_a_cascade_without_a_verifier_is_refused() -> None:
    with pytest.raises(CalibrationError, match="no answer here is verified; train a model with a verifier"):
        certified(400, with_verifier=False)


def test_a_large_model_that_costs_nothing_is_refused() -> None:
    rows = drawn(400)

    with pytest.raises(CalibrationError, match="cost nothing, so nothing can be saved; see --prices"):
        certify(replace(rows, large_cost_usd=np.zeros(400)), OPTIONS, files=FILES)


def test_tuning_rows_without_any_verified_answer_still_give_a_path() -> None:
    rows, unanswered = drawn(900), drawn(600, seed=3, with_verifier=False)
    others = tuple(replace(row, group_id=f"t{row.group_id}") for row in unanswered.rows)

    done = certify(rows, CalibrateOptions(alpha=0.1), files=FILES, tuning=replace(unanswered, rows=others))

    assert done.certificate.tuning.rows == 600
    assert done.path


def test_the_mix_says_what_the_policy_does_to_each_source() -> None:
    certificate = certified(sources=("algebra", "letters", "letters"))

    names = [source.source for source in certificate.mix]
    assert names == ["algebra", "letters"]
    assert sum(source.n for source in certificate.mix) == certificate.n
    assert sum(source.loss * source.n for source in certificate.mix) == pytest.approx(
        certificate.loss.value * certificate.n, abs=0.01
    )
    assert all(source.lower <= source.loss <= source.upper for source in certificate.mix)


@pytest.mark.parametrize("method", ["binomial", "betting"])
def test_every_figure_is_finite_and_the_same_every_time(method: str) -> None:
    options = CalibrateOptions(method=method)  # type: ignore[arg-type]

    first, second = (msgspec.json.encode(certified(900, options)) for _ in range(2))

    assert first == second
    assert all(math.isfinite(value) for value in numbers(msgspec.json.decode(first)))


def numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [number for part in value.values() for number in numbers(part)]
    if isinstance(value, list):
        return [number for part in value for number in numbers(part)]
    return [float(value)] if isinstance(value, int | float) else []


def test_another_seed_splits_otherwise() -> None:
    assert certified(900).calibration.sha256 != certified(900, replace(OPTIONS, seed=1)).calibration.sha256


def test_a_stricter_promise_saves_no_more() -> None:
    saved = [certified(3000, replace(OPTIONS, alpha=alpha)).saved.value for alpha in (0.005, 0.02, 0.05)]

    assert saved == sorted(saved)
