"""``specroute check-config``: says whether a configuration would start the service, without starting it."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from specroute.config import Problem, Settings


def check_config(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The YAML file.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    no_secrets: Annotated[
        bool, typer.Option("--no-secrets", help="Do not look up keys: for a review offline.")
    ] = False,
) -> None:
    """Check a configuration file: keys, values, names, prices, files and secrets. Calls nothing.

    Prints the file, "ok" and a summary, or every problem as one line FILE:LINE: KEY: what is wrong; how to mend it
    (exit code 1).

    Example: specroute check-config config.example.yaml --no-secrets
    """
    from specroute.cli.stale import tuning_warnings
    from specroute.config import ConfigError, load_settings
    from specroute.predictor.certificate import CertificateError

    try:
        settings = load_settings(path, None if no_secrets else os.environ)
        promise = _promise(settings)
        warnings = tuning_warnings(settings)
    except ConfigError as error:
        _refuse(path, error.errors, as_json=as_json)
        raise typer.Exit(1) from None
    except CertificateError as error:
        _refuse(path, (_certificate_problem(path, str(error)),), as_json=as_json)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps({**_facts(path, settings, promise), "warnings": warnings}))
        return
    typer.echo(f"{path}: ok")
    for line in _summary(settings, promise):
        typer.echo(f"  {line}")
    for warning in warnings:
        typer.echo(f"{path}: warning: {warning}", err=True)


def _promise(settings: "Settings") -> str:
    """Returns what the configured certificate promises; "": there is none. ``serve`` checks it against the model."""
    from specroute.predictor.certificate import read_certificate

    path = settings.policy.certificate
    return "" if path is None else read_certificate(path).statement


def _certificate_problem(path: Path, what: str) -> "Problem":
    from specroute.config.parse import decode, parse

    document = parse(str(path), decode(str(path), path.read_bytes()))
    return document.problem(document.known(("policy", "certificate")), what)


def _refuse(path: Path, problems: "tuple[Problem, ...]", *, as_json: bool) -> None:
    if as_json:
        errors = [{"line": item.line, "key": item.key, "message": item.message} for item in problems]
        typer.echo(json.dumps({"file": str(path), "ok": False, "errors": errors}))
        return
    for problem in problems:
        typer.echo(str(problem), err=True)


def _summary(settings: "Settings", promise: str) -> list[str]:
    from specroute.config import policy_fingerprint

    tiers = ", ".join(f"{tier.name} ({_counted(len(tier.upstreams), 'upstream')})" for tier in settings.tiers)
    rules = _counted(len(settings.policy.rules), "rule")
    security = "TLS" if settings.tls.cert_file else "no TLS"
    return [
        f"tiers: {tiers}",
        f"policy: {settings.policy.kind}, {rules}, version {policy_fingerprint(settings)}",
        *([f"certificate: {promise}"] if promise else []),
        *([f"tuned: {settings.policy.tuned.statement}"] if settings.policy.tuned else []),
        f"predictor: {_predictor(settings)}",
        f"validators: {', '.join(_validators(settings)) or 'none'}",
        f"listen: {settings.listen}, metrics {settings.metrics_listen}, {security}",
    ]


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _predictor(settings: "Settings") -> str:
    if settings.predictor is None:
        return "none"
    if settings.predictor.model is not None:
        return f"model {settings.predictor.model}"
    prior = ", ".join(f"{tier} {p:g}" for tier, p in settings.prior_by_tier.items())
    return f"fixed score: {prior or 'one tier, nothing to score'}"


def _validators(settings: "Settings") -> list[str]:
    items = settings.validation.validators
    return [f"{item.name} (webhook{', contract' * item.contract})" if item.webhook else item.name for item in items]


def _facts(path: Path, settings: "Settings", promise: str) -> dict[str, object]:
    from specroute.config import policy_fingerprint

    predictor = settings.predictor
    return {
        "file": str(path),
        "ok": True,
        "tiers": [{"name": tier.name, "upstreams": [item.name for item in tier.upstreams]} for tier in settings.tiers],
        "policy": settings.policy.kind,
        "policy_version": policy_fingerprint(settings),
        "certificate": promise,
        "tuned": settings.policy.tuned.model_dump(mode="json", by_alias=True) if settings.policy.tuned else None,
        "rules": [rule.name for rule in settings.policy.rules],
        "model": str(predictor.model) if predictor is not None and predictor.model is not None else None,
        "prior": dict(settings.prior_by_tier),
        "validators": [item.name for item in settings.validation.validators],
        "listen": str(settings.listen),
        "metrics_listen": str(settings.metrics_listen),
        "tls": settings.tls.cert_file is not None,
    }
