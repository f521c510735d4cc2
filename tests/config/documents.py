"""A whole valid configuration, and places in it to change."""

from pathlib import Path

from specroute.config import ConfigError, Problem, Settings, parse_settings

VALID = """\
listen: 127.0.0.1:0
metrics_listen: 127.0.0.1:9464
tiers:
  - name: mini
    price: {input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.60}
    upstreams:
      - kind: openai
        base_url: http://127.0.0.1:8000/v1
        model: small
  - name: large
    price: {input_usd_per_mtok: 2.50, output_usd_per_mtok: 10}
    upstreams:
      - kind: openai
        base_url: http://127.0.0.1:8001/v1
        model: big
predictor: {prior: 0.7}
policy:
  kind: thresholds
  thresholds: {direct_mini: 0.9, direct_large: 0.3, hedge_delay: 250ms}
  rules:
    - {name: risky, when: {risk: high}, route: large}
"""


def settings_of(text: str = VALID, *, folder: Path = Path(), environ: dict[str, str] | None = None) -> Settings:
    return parse_settings(text, "specroute.yaml", folder=folder, environ=environ or {})


def changed(old: str, new: str) -> str:
    assert VALID.count(old) == 1, f"{old!r} must name one place"
    return VALID.replace(old, new)


def problems_of(text: str, *, folder: Path = Path(), environ: dict[str, str] | None = None) -> tuple[Problem, ...]:
    try:
        settings_of(text, folder=folder, environ=environ)
    except ConfigError as error:
        return error.errors
    return ()


def only_problem(text: str, *, folder: Path = Path(), environ: dict[str, str] | None = None) -> str:
    problems = problems_of(text, folder=folder, environ=environ)
    assert len(problems) == 1, [str(problem) for problem in problems]
    line = str(problems[0])
    assert line.isprintable(), "one line, whatever the file holds"
    return line
