import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from specroute.cli.check_config import check_config
from specroute.predictor.certificate import write_certificate
from tests.config.documents import VALID, changed
from tests.predictor.test_certificate import certificate

KEYED = changed("        model: small\n", "        model: small\n        api_key_env: SPECROUTE_TEST_KEY\n")


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command("check-config")(check_config)
    return app


def write(folder: Path, text: str) -> str:
    file = folder / "specroute.yaml"
    file.write_text(text)
    return str(file)


def test_a_right_file_is_ok_with_a_summary(app: typer.Typer, tmp_path: Path) -> None:
    file = write(tmp_path, VALID)

    result = CliRunner().invoke(app, [file])

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"{file}: ok"
    assert lines[1] == "  tiers: mini (1 upstream), large (1 upstream)"
    assert lines[2].startswith("  policy: thresholds, 1 rule, version ")
    assert lines[3] == "  predictor: fixed score: mini 0.7"
    assert lines[4] == "  validators: complete, not_refusal, output_contract"
    assert lines[5] == "  listen: 127.0.0.1:0, metrics 127.0.0.1:9464, no TLS"


def test_every_problem_is_one_line_on_stderr(app: typer.Typer, tmp_path: Path) -> None:
    file = write(tmp_path, VALID.replace("0.15", "-1") + "rase: {}\n")

    result = CliRunner().invoke(app, [file])

    assert result.exit_code == 1
    assert result.stdout == ""
    first, second = result.stderr.splitlines()
    assert first.startswith(f"{file}:5: tiers[0].price.input_usd_per_mtok: -1 is not a price; ")
    assert second == f"{file}:22: rase: unknown key; did you mean 'race'?"


def test_a_missing_secret_is_a_problem_unless_secrets_are_skipped(app: typer.Typer, tmp_path: Path) -> None:
    file = write(tmp_path, KEYED)

    strict = CliRunner().invoke(app, [file])
    offline = CliRunner().invoke(app, [file, "--no-secrets"])

    assert strict.exit_code == 1
    assert "missing secret: the environment variable SPECROUTE_TEST_KEY is not set" in strict.stderr
    assert offline.exit_code == 0


def test_json_is_one_object_for_a_right_and_for_a_wrong_file(app: typer.Typer, tmp_path: Path) -> None:
    right = json.loads(CliRunner().invoke(app, [write(tmp_path, VALID), "--json"]).stdout)
    refused = CliRunner().invoke(app, [write(tmp_path, f"{VALID}rase: 1\n"), "--json"])
    wrong = json.loads(refused.stdout)

    assert right["ok"] is True
    assert right["tiers"] == [{"name": "mini", "upstreams": ["mini-0"]}, {"name": "large", "upstreams": ["large-0"]}]
    assert (right["rules"], right["prior"]) == (["risky"], {"mini": 0.7})
    assert refused.exit_code == 1
    assert wrong["ok"] is False
    assert wrong["errors"] == [{"line": 22, "key": "rase", "message": "unknown key; did you mean 'race'?"}]


def test_a_certificate_is_shown_with_its_promise_and_a_broken_one_is_a_problem_of_its_key(
    app: typer.Typer, tmp_path: Path
) -> None:
    cuts = "thresholds: {direct_mini: 0.9, direct_large: 0.3, hedge_delay: 250ms}"
    file = write(tmp_path, changed(cuts, "certificate: certificate.json"))
    write_certificate(tmp_path / "certificate.json", certificate())

    shown = CliRunner().invoke(app, [file])
    (tmp_path / "certificate.json").write_text("{}", encoding="utf-8")
    broken = CliRunner().invoke(app, [file])

    assert f"certificate: {certificate().statement}" in shown.stdout
    assert broken.exit_code == 1
    assert "19: policy.certificate: " in broken.output
    assert "not a certificate" in broken.output
