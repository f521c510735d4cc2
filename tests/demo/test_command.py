"""The verb, as a process of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.load.recorded_rows import ROWS, written

pytestmark = pytest.mark.integration

COMMAND = (sys.executable, "-W", "error", "-m", "specroute", "demo")


def demo(*arguments: str, folder: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PYTHONPATH": path} if path else None
    return subprocess.run([*COMMAND, *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_json_is_one_object_on_stdout_and_progress_goes_to_stderr(tmp_path: Path) -> None:
    done = demo("--requests", "12", "--speed", "50", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["kind"] == "simulated tiers"
    assert [(item["policy"], item["results"]) for item in facts["summaries"]] == [
        ("always-mini", 12),
        ("always-large", 12),
        ("cascade", 12),
        ("race", 12),
    ]
    assert done.stderr.splitlines()[0] == "always-mini: sending 12 requests"
    assert done.stderr.splitlines()[-1] == "race: done"


def test_recorded_outcomes_are_shown_as_a_markdown_table(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    file = written(tmp_path / "outcomes.parquet", ROWS)
    done = demo("--outcomes", str(file), "--speed", "50", "--markdown", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("**Recorded outcomes**\n")
    assert "| all | cascade | 6 |" in done.stdout
    assert "0 differ" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--requests", "100000"), 2, "there are 385 tasks; give at most that"),
        (("--requests", "0"), 2, "--requests"),
        (("--model", "absent"), 1, "predictor.model: no model at"),
        (("--outcomes", "absent.parquet"), 1, "specroute demo: absent.parquet: "),
        (("--json", "--markdown"), 2, "not both"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_sent(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = demo(*arguments, folder=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert "sending" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path) -> None:
    # A folder that holds a broken pyarrow stands for a machine without it.
    (tmp_path / "pyarrow.py").write_text("raise ModuleNotFoundError(\"No module named 'pyarrow'\", name='pyarrow')\n")
    done = demo("--outcomes", "any.parquet", folder=tmp_path, path=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == "specroute demo: --outcomes needs pyarrow: pip install 'specroute[train]'\n"


def test_an_interrupt_prints_what_is_known_so_far(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "--requests", "40", "--speed", "20", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("always-large: sending"):
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    facts = json.loads(out)
    assert facts["complete"] is False
    assert facts["summaries"][0]["policy"] == "always-mini"
    assert facts["summaries"][0]["results"] == 40
