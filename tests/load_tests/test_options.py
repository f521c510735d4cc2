from __future__ import annotations

import argparse
from typing import Any

import pytest

from load_tests.inside.options import OptionsError, add_options, server_address, settings_of


class Parser(argparse.ArgumentParser):
    """Takes what Locust's own takes."""

    def add_argument(self, *args: Any, include_in_web_ui: bool = True, **settings: Any) -> argparse.Action:
        return super().add_argument(*args, **settings)


def options(*arguments: str, run_time: str | None = None) -> argparse.Namespace:
    parser = Parser()
    add_options(parser)
    found = parser.parse_args(arguments)
    found.run_time = run_time
    return found


def test_the_defaults_send_the_built_in_mix_at_a_steady_rate() -> None:
    settings = settings_of(options(), None, is_distributed=False)

    assert (settings.server, settings.rate, settings.shape) == ("127.0.0.1:50051", 8.0, "steady")
    assert (settings.outcomes, settings.requests, settings.slos) == (None, None, ())


def test_options_stay_plain_values_as_a_master_sends_them_to_its_workers() -> None:
    found = vars(options("--slo", "p99<=2s", "--slo", "waste_ratio<=0.3", "--requests", "5"))

    assert all(isinstance(value, (str, int, float, list, type(None))) for value in found.values())
    assert found["slo"] == ["p99<=2s", "waste_ratio<=0.3"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--slo", "p98<=1s"), "did you mean p99?"),
        (("--rate", "0"), "must be more than 0"),
        (("--rate", "fast"), "is not a number"),
        (("--requests", "0"), "must be at least 1"),
        (("--shape", "square"), "invalid choice"),
    ],
)
def test_a_wrong_option_is_a_usage_error(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        options(*arguments)

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_shape_needs_to_know_how_long_it_is() -> None:
    with pytest.raises(OptionsError, match="--shape burst needs --run-time"):
        settings_of(options("--shape", "burst"), None, is_distributed=False)

    assert settings_of(options("--shape", "burst", run_time="60"), None, is_distributed=False).shape == "burst"


def test_a_number_of_requests_is_counted_in_one_process() -> None:
    with pytest.raises(OptionsError, match="--requests counts in one process"):
        settings_of(options("--requests", "5"), None, is_distributed=True)


@pytest.mark.parametrize(
    ("host", "address"),
    [("localhost:50051", "localhost:50051"), ("http://10.0.0.1:80/", "10.0.0.1:80"), ("[::1]:50051", "[::1]:50051")],
)
def test_the_host_is_read_with_or_without_a_scheme(host: str, address: str) -> None:
    assert server_address(host) == address


@pytest.mark.parametrize("host", ["localhost", "http://example.org", ":50051", "a:b"])
def test_a_host_without_a_port_is_refused(host: str) -> None:
    with pytest.raises(OptionsError, match="is not HOST:PORT"):
        server_address(host)
