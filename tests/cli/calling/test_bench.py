"""What ``specroute bench`` refuses before anything is sent."""

import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from specroute.cli.calling.bench import bench

APP = typer.Typer()
APP.command()(bench)
NOBODY = "127.0.0.1:1"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(APP, arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rate", "fast"), "--rate 'fast': write requests per second"),
        (("--duration", "30"), "--duration: a duration needs a unit; write 30s"),
        (("--duration", "0s"), "no request is due; change --rate, --duration or --requests"),
        (("--duration", "1ms", "--rate", "0.001"), "no request is due"),
        (("--duration", "1s", "--requests", "5"), "give --duration or --requests, not both"),
        (("--warmup", "soon"), "--warmup: 'soon' is not a duration"),
        (("--deadline", "0s"), "--deadline must be more than 0 s"),
        (("--slo", "p98<=1s"), "there is no metric 'p98'"),
        (("--slo", "ttft_p99<=1s"), "only a stream shows its first token; add --stream"),
    ],
)
def test_wrong_usage_is_one_line_that_says_what_to_do(arguments: tuple[str, ...], said: str) -> None:
    result = run("--server", NOBODY, *arguments)

    assert result.exit_code == 2
    assert result.stderr.startswith("specroute bench: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_server_that_nobody_reaches_is_one_line_that_says_how_to_start_one() -> None:
    result = run("--server", NOBODY, "--json")

    assert result.exit_code == 1
    assert result.stderr == (
        "specroute bench: no server answers at 127.0.0.1:1 (unavailable); start one with `specroute serve` or give "
        "--server HOST:PORT\n"
    )
    assert result.stdout == ""


def test_an_outcomes_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = run("--server", NOBODY, "--outcomes", str(tmp_path / "absent.parquet"))

    assert result.exit_code == 1
    assert re.fullmatch(r"specroute bench: .*absent\.parquet: no such file; .*\n", result.stderr)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("--server", NOBODY, "--out", str(tmp_path / "file" / "out"))

    assert result.exit_code == 1
    assert "give a folder that can be written" in result.stderr
    assert result.stderr.count("\n") == 1


def test_help_has_an_example() -> None:
    result = run("--help")

    assert result.exit_code == 0
    assert "Example: specroute bench --rate 20" in result.stdout
