"""``specroute serve`` refuses what it cannot run, in one line that says what to mend."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from typer.testing import CliRunner

from specroute.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

TIERS = """\
tiers:
  - name: mini
    price: {input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.60}
    upstreams: [{kind: openai, base_url: "http://127.0.0.1:1/v1", model: mini}]
"""
NO_PRICE = """\
tiers:
  - name: mini
    upstreams: [{kind: openai, base_url: "http://127.0.0.1:1/v1", model: mini}]
"""
NEEDS_KEY = TIERS.replace("model: mini}", "model: mini, api_key_env: SPECROUTE_TEST_NO_SUCH_KEY}")
PRIOR = "predictor: {prior: 0.6}\n"


ANY_PORTS = "listen: 127.0.0.1:0\nmetrics_listen: 127.0.0.1:0\n"


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def refusal(folder: Path, text: str) -> str:
    """Runs the command and returns the one line that it says."""
    path = folder / "config.yaml"
    path.write_text(text)
    done = CliRunner().invoke(app, ["serve", "--config", str(path)])
    assert (done.exit_code, done.stdout) == (1, "")
    (said,) = done.stderr.splitlines()
    return said


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (f"{TIERS}{PRIOR}metrics_listn: 127.0.0.1:0\n", 6, ["metrics_listn", "metrics_listen"]),
        (f"{TIERS}{PRIOR}policy:\n  kind: thresholds\n  thresholds: {{direct_min: 0.9}}\n", 8, ["direct_mini"]),
        (f"{NO_PRICE}{PRIOR}", 2, ["price"]),
        (f"{NEEDS_KEY}{PRIOR}", 4, ["api_key_env", "SPECROUTE_TEST_NO_SUCH_KEY"]),
        (f"{TIERS}predictor: {{model: no_such_folder}}\n", 5, ["model", "no_such_folder"]),
        (f"{TIERS}{PRIOR}policy: {{kind: utility}}\n", 6, ["kind", "utility", "thresholds"]),
    ],
)
def test_a_bad_configuration_is_refused(tmp_path: Path, text: str, line: int, words: list[str]) -> None:
    said = refusal(tmp_path, text)

    assert f"config.yaml:{line}: " in said
    assert all(word in said for word in words)


def test_a_model_whose_hash_differs_is_refused(tmp_path: Path) -> None:
    model = Path(__file__).parents[2] / "router_models" / "default"
    if not model.is_dir():
        pytest.skip("there is no trained model in router_models/default")
    copy = tmp_path / "model"
    copy.mkdir()
    for file in model.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    onnx = copy / "model.onnx"
    onnx.write_bytes(onnx.read_bytes() + b"\0")

    said = refusal(tmp_path, f"{TIERS}predictor: {{model: model}}\n{ANY_PORTS}")

    assert "config.yaml:5: predictor.model: " in said
    assert "model.onnx" in said
    assert "sha256" in said


def test_a_users_validator_that_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    use = "validation:\n  validators:\n    - complete\n    - {name: mine, use: 'no_such_module:Thing'}\n"

    said = refusal(tmp_path, f"{TIERS}{PRIOR}{use}{ANY_PORTS}")

    assert "config.yaml:9: validation.validators[1]: " in said
    assert "no_such_module" in said


def test_a_metrics_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = refusal(tmp_path, f"{TIERS}{PRIOR}listen: 127.0.0.1:0\nmetrics_listen: {address}\n")

    assert address in said


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["serve", "--config", str(tmp_path / "none.yaml")])

    assert done.exit_code == 1
    (said,) = done.stderr.splitlines()
    assert "none.yaml" in said


def test_an_unknown_log_level_is_a_usage_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["serve", "--config", "x", "--log-level", "loud"])

    assert done.exit_code == 2
