import pickle
from pathlib import Path

import pytest

from specroute.config import load_settings, policy_fingerprint
from tests.config.documents import changed, only_problem, settings_of

ENVIRON = {"OPENAI_API_KEY": "sk-canary-7d1f"}


def keyed(line: str) -> str:
    return changed("        model: small\n", f"        model: small\n        {line}\n")


def test_a_key_comes_from_the_environment_and_is_masked_everywhere() -> None:
    settings = settings_of(keyed("api_key_env: OPENAI_API_KEY"), environ=ENVIRON)
    upstream = settings.tiers[0].upstreams[0]

    assert upstream.api_key is not None
    assert upstream.api_key.get_secret_value() == "sk-canary-7d1f"
    for text in (repr(settings), str(upstream.api_key), settings.model_dump_json(), repr(settings.model_dump())):
        assert "canary" not in text


def test_a_key_comes_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(" sk-1\n")
    upstream = settings_of(keyed("api_key_file: key"), folder=tmp_path).tiers[0].upstreams[0]

    assert upstream.api_key is not None
    assert upstream.api_key.get_secret_value() == "sk-1"


KEY = "specroute.yaml:10: tiers[0].upstreams[0]"


@pytest.mark.parametrize("environ", [{}, {"MINI_KEY": ""}, {"MINI_KEY": " \n"}])
def test_a_missing_variable_is_named(environ: dict[str, str]) -> None:
    assert only_problem(keyed("api_key_env: MINI_KEY"), environ=environ) == (
        f"{KEY}.api_key_env: missing secret: the environment variable MINI_KEY is not set; set it"
    )


@pytest.mark.parametrize("value", ["sk-canary\r\nX-Other: 1", "sk-canary é", "sk canary"])
def test_a_key_that_could_break_a_header_is_refused_and_not_shown(value: str) -> None:
    line = only_problem(keyed("api_key_env: MINI_KEY"), environ={"MINI_KEY": value})

    assert line == (
        f"{KEY}.api_key_env: the secret in the environment variable MINI_KEY is not one line of ASCII without spaces; "
        "store the key alone"
    )


def test_a_key_pasted_in_place_of_a_variable_is_not_repeated() -> None:
    line = only_problem(keyed("api_key_env: sk-canary"))

    assert line == (
        f"{KEY}.api_key_env: not the name of an environment variable; "
        "write its name, such as OPENAI_API_KEY, never the key itself"
    )


def test_two_sources_of_a_key_are_refused() -> None:
    line = only_problem(keyed("api_key_env: A\n        api_key_file: b"), environ={"A": "x"})

    assert line == (
        "specroute.yaml:11: tiers[0].upstreams[0].api_key_file: a second source of the key; "
        "keep api_key_env or api_key_file"
    )


def test_an_absent_key_file_is_refused(tmp_path: Path) -> None:
    assert only_problem(keyed("api_key_file: none"), folder=tmp_path) == (
        f"{KEY}.api_key_file: missing secret: {tmp_path}/none: No such file or directory; give a readable file"
    )


def test_an_empty_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")

    assert only_problem(keyed("api_key_file: key"), folder=tmp_path) == (
        f"{KEY}.api_key_file: missing secret: {tmp_path}/key is empty; put the key in it"
    )


def test_without_an_environment_secrets_are_neither_needed_nor_read(tmp_path: Path) -> None:
    file = tmp_path / "specroute.yaml"
    file.write_text(keyed("api_key_env: MINI_KEY"))

    assert load_settings(file, None).tiers[0].upstreams[0].api_key is None


def test_a_secret_is_no_part_of_the_version() -> None:
    text = keyed("api_key_env: K")

    assert policy_fingerprint(settings_of(text, environ={"K": "a"})) == policy_fingerprint(
        settings_of(text, environ={"K": "b"})
    )


def test_a_key_survives_the_way_to_a_worker_process() -> None:
    settings = settings_of(keyed("api_key_env: OPENAI_API_KEY"), environ=ENVIRON)

    copy = pickle.loads(pickle.dumps(settings))

    assert copy.tiers[0].upstreams[0].api_key.get_secret_value() == "sk-canary-7d1f"
