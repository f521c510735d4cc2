from pathlib import Path

import pytest

from specroute.learn.readers import OutcomesError
from specroute.load.mix import Mix, builtin_mix, recorded_mix
from tests.load.recorded_rows import PAIR, ROWS, written

pytest.importorskip("pyarrow")


@pytest.fixture
def outcomes(tmp_path: Path) -> Path:
    return written(tmp_path / "outcomes.parquet", ROWS)


def prompts_of(mix: Mix) -> set[str]:
    return {case.request.last_user_text for case in mix.cases}


def test_every_recorded_case_is_sent_once_before_any_is_sent_again(outcomes: Path) -> None:
    mix = recorded_mix(outcomes, PAIR, seed=1)
    prompts = [case.request.last_user_text for case in mix.sent(14)]

    assert len(mix.cases) == 6
    assert len(set(prompts[:6])) == 6
    assert prompts[6:12] == prompts[:6]
    assert mix.is_recorded
    assert "6 recorded prompts" in mix.name


def test_the_seed_orders_the_cases(outcomes: Path) -> None:
    assert recorded_mix(outcomes, PAIR, seed=1).cases == recorded_mix(outcomes, PAIR, seed=1).cases
    assert builtin_mix(seed=1).cases != builtin_mix(seed=2).cases
    assert prompts_of(builtin_mix(seed=1)) == prompts_of(builtin_mix(seed=2))


def test_warming_up_changes_nothing_of_what_is_measured() -> None:
    mix = builtin_mix(seed=0)

    assert mix.sent(5, before=3)[3:] == mix.sent(5)
    assert mix.sent(5, before=3)[:3] == mix.cases[-3:]


def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutcomesError, match="no such file"):
        recorded_mix(tmp_path / "absent.parquet", PAIR, seed=0)
