from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from load_tests import agreement, sweep
from load_tests.agreement import Turn, as_table, disagreements
from load_tests.sweeping.configs import config_text
from load_tests.sweeping.measured import measured
from load_tests.sweeping.one_run import Load, RunFailed
from load_tests.sweeping.points import Point, chosen, default_points, model_folder, read_delay
from load_tests.sweeping.results import Results, as_csv
from load_tests.sweeping.results import as_table as table_of
from specroute.config import Settings, parse_settings
from tests.load_tests.builders import call, failed

if TYPE_CHECKING:
    from load_tests.rows import CallRow

POINTS = default_points(has_verifier=True)
URL = "http://127.0.0.1:1/v1"


def settings_of(point: Point, *, speed: float = 1.0, model: Path | None = None) -> Settings:
    text = config_text(point, URL, model=model, speed=speed, is_recorded=False)
    return parse_settings(text, point.name, folder=Path.cwd(), environ={})


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_every_point_is_a_valid_configuration(point: Point) -> None:
    settings = settings_of(point)

    assert [tier.name for tier in settings.tiers] == ([point.tier] if point.tier else ["mini", "large"])


def test_names_of_points_are_unique_and_fit_for_files() -> None:
    names = [point.name for point in POINTS]

    assert len(set(names)) == len(names)
    assert all("/" not in name for name in names)
    assert {"always-mini", "always-large"} < set(names)


def test_a_hedge_delay_is_divided_as_the_tiers_delays_are() -> None:
    text = config_text(Point("h", "hedge", hedge_s=0.8), URL, model=None, speed=4.0, is_recorded=False)

    assert "hedge_delay: 200ms" in text


def test_the_ends_of_the_hedge_curve_are_cascade_and_race() -> None:
    labels = [point.label for point in POINTS if point.family == "hedge"]

    assert (labels[0], labels[-1]) == ("cascade", "race")
    assert "800ms" in labels


def test_the_cut_of_the_verifier_is_only_told_where_there_is_one(tmp_path: Path) -> None:
    point = Point("v", "verifier", min_p=0.6)

    assert "min_p" not in config_text(point, URL, model=None, speed=1.0, is_recorded=True)
    (tmp_path / "verifier.onnx").write_bytes(b"")
    assert "reject" in config_text(point, URL, model=tmp_path, speed=1.0, is_recorded=True)


def test_points_are_chosen_by_name() -> None:
    assert [point.name for point in chosen(POINTS, ["hedge-0s"])] == ["hedge-0s"]
    assert chosen(POINTS, []) == POINTS
    with pytest.raises(ValueError, match="--only nothing: choose among always-mini"):
        chosen(POINTS, ["nothing"])


def test_delays_are_read_as_configurations_have_them() -> None:
    assert (read_delay("on_rejection"), read_delay("250ms")) == (None, 0.25)
    assert model_folder(Path("somewhere")) == Path("somewhere").resolve()


def test_every_repeat_runs_all_points_in_an_order_of_its_own() -> None:
    runs = sweep.schedule(POINTS, 3, seed=1)

    rounds = [[point.name for repeat, point in runs if repeat == number] for number in range(3)]
    assert all(sorted(names) == sorted(point.name for point in POINTS) for names in rounds)
    assert len({tuple(names) for names in rounds}) == 3
    assert runs == sweep.schedule(POINTS, 3, seed=1)


def test_runs_of_one_repeat_send_as_many_requests_as_the_rate_makes() -> None:
    load = Load.lasting(20.0, 8.0)
    command = load.command("h:1", seed=4, report=Path("r"), rows=Path("x"))

    assert (load.requests, load.users) == (160, 80)
    assert command[command.index("--requests") + 1] == "160"
    assert command[command.index("--seed") + 1] == "4"
    assert "--outcomes" not in command


def some_rows() -> list[CallRow]:
    graded = [call(case=str(number), latency_s=0.1 * number, is_right=number % 4 != 0) for number in range(40)]
    return [*graded, failed(case="late", latency_s=9.0)]


def test_figures_of_a_point_lie_in_their_intervals_and_latencies_are_multiplied_back() -> None:
    found = measured(some_rows(), speed=4.0)

    assert found["p50"]["value"] == pytest.approx(0.1 * 20 * 4.0)
    assert found["usd_per_1000"]["value"] == pytest.approx(100 / 1e9 * 1000)
    assert found["quality"]["value"] == pytest.approx(30 / 41, abs=1e-6)
    for figure in found.values():
        assert figure["lo"] is not None
        assert figure["value"] is not None
        assert figure["hi"] is not None
        assert figure["lo"] <= figure["value"] <= figure["hi"]


def test_repeats_of_the_same_prompts_do_not_make_an_interval_narrower() -> None:
    once = measured(some_rows(), speed=1.0)["quality"]
    thrice = measured(some_rows() * 3, speed=1.0)["quality"]

    assert thrice == once


def results(*, planned: int = 1) -> Results:
    found = Results(POINTS[:2], {"workload": "built-in mix"}, 1.0, planned)
    found.add(POINTS[0], some_rows())
    return found


def test_results_are_partial_until_every_run_is_there() -> None:
    found = results()
    assert found.to_json()["partial"] is True

    found.add(POINTS[1], some_rows())

    assert found.to_json()["partial"] is False


def test_points_without_a_run_are_left_out_of_the_files(tmp_path: Path) -> None:
    told = results().write(tmp_path)

    rows = list(csv.DictReader(io.StringIO((tmp_path / "sweep.csv").read_text())))
    assert [row["name"] for row in rows] == ["always-mini"]
    assert float(rows[0]["p95_lo"]) <= float(rows[0]["p95"])
    assert as_csv(told) == (tmp_path / "sweep.csv").read_text()
    assert "always-mini" in table_of(told)


def test_the_picture_is_drawn_of_whatever_there_is(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from load_tests.sweeping.picture import draw

    draw(results().to_json(), tmp_path / "sweep.png")

    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "x"], "--only x: choose among"),
        (["--rate", "0"], "must be more than 0"),
        (["--run-time", "20"], "a duration needs a unit"),
        (["--outcomes", "nowhere.parquet"], "there is no such file"),
        (["--speed", "0"], "--speed must be more than 0"),
    ],
)
def test_a_wrong_option_of_the_sweep_is_a_usage_error(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        sweep.main(arguments)

    assert ended.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_the_agreement_is_judged_by_the_median_of_the_repeats() -> None:
    def turn(ratio: float) -> Turn:
        return Turn({"p50": ratio, "p99": 2.0}, {"p50": 1.0, "p99": 2.0})

    assert disagreements([turn(1.0), turn(1.02), turn(3.0)]) == []
    (line,) = disagreements([turn(1.4), turn(1.3), turn(1.0)])
    assert line.startswith("p50: Locust has 1.300 of what bench has")
    assert as_table([turn(1.0)]).splitlines()[-1].startswith("median")


def test_a_wrong_time_of_the_agreement_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        agreement.main(["--run-time", "soon"])

    assert "--run-time" in capsys.readouterr().err


def test_the_configuration_of_the_first_run_is_valid() -> None:
    from specroute.config import load_settings

    settings = load_settings(Path(sweep.__file__).parent / "service.yaml")

    assert [tier.name for tier in settings.tiers] == ["mini", "large"]


def test_a_run_that_fails_is_noted_and_the_others_go_on() -> None:
    found = Results(POINTS[:2], {}, 1.0, 2)

    def run_one(point: Point, repeat: int) -> list[CallRow]:
        if (point.name, repeat) == (POINTS[0].name, 0):
            raise RunFailed("Locust ended with 1: no")
        return some_rows()

    assert sweep.run_all(found, 0, run_one) == 1
    assert found.failed == ["always-mini, repeat 1: Locust ended with 1: no"]
    assert found.runs == {"always-mini": 1, "always-large": 2}
    assert found.to_json()["partial"] is True


def test_an_interrupted_sweep_keeps_the_runs_that_are_over() -> None:
    found = Results(POINTS, {}, 1.0, 1)

    def run_one(point: Point, repeat: int) -> list[CallRow]:
        if len(found.runs) == 3:
            raise KeyboardInterrupt
        return some_rows()

    assert sweep.run_all(found, 0, run_one) == 130
    told = found.to_json()
    assert (len(told["points"]), told["partial"]) == (3, True)


def test_a_sweep_with_tiers_that_do_not_start_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "outcomes.csv").write_text("prompt\n")

    code = sweep.main(["--outcomes", str(tmp_path / "outcomes.csv"), "--out", str(tmp_path / "out")])

    (line,) = capsys.readouterr().err.splitlines()
    assert code == 1
    assert line.startswith("load_tests.sweep: specroute simulate did not start: specroute simulate: ")
