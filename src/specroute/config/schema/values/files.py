"""Paths and secrets that the file refers to, resolved while it is read, so that each is refused on its own line."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo

from specroute.config.errors import path_shown, shown
from specroute.config.schema.values.section import refuse

MAX_SECRET_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class LoadContext:
    """What surrounds the file.

    Attributes:
        folder: relative paths start here; the folder of the configuration file.
        environ: where an ``api_key_env`` is looked up; ``None``: secrets are neither looked up nor checked.
    """

    folder: Path
    environ: Mapping[str, str] | None = None


def context_of(info: ValidationInfo) -> LoadContext:
    """Returns the context of a validation; without one, the current folder and no secrets."""
    return info.context if isinstance(info.context, LoadContext) else LoadContext(Path())


def secret_from_env(name: str, environ: Mapping[str, str]) -> SecretStr:
    """Returns the secret in the environment variable ``name``, or refuses."""
    value = environ.get(name, "").strip()
    if not value:
        raise refuse(f"missing secret: the environment variable {name} is not set; set it", at=("api_key_env",))
    return _checked(value, f"the environment variable {name}", "api_key_env")


def secret_from_file(path: Path) -> SecretStr:
    """Returns the secret that is the whole of a file, without white space around it, or refuses."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else "not readable"
        raise refuse(f"missing secret: {path_shown(path)}: {why}; give a readable file", at=("api_key_file",)) from None
    if not raw.strip():
        raise refuse(f"missing secret: {path_shown(path)} is empty; put the key in it", at=("api_key_file",))
    return _checked(raw.decode("latin-1").strip(), path_shown(path), "api_key_file")


def resolved_key(env: str | None, file: Path | None, info: ValidationInfo) -> SecretStr | None:
    """Returns the key that ``api_key_env`` or ``api_key_file`` stands for, or refuses; ``None``: none, or skipped."""
    if env is not None and file is not None:
        raise refuse("a second source of the key; keep api_key_env or api_key_file", at=("api_key_file",))
    environ = context_of(info).environ
    if environ is None:
        return None
    if env is not None:
        return secret_from_env(env, environ)
    return None if file is None else secret_from_file(file)


def _checked(value: str, where: str, key: str) -> SecretStr:
    # The key becomes a header: a line break in it would start another header. The value itself is never shown.
    if len(value) > MAX_SECRET_BYTES or not value.isascii() or not value.isprintable() or " " in value:
        raise refuse(f"the secret in {where} is not one line of ASCII without spaces; store the key alone", at=(key,))
    return SecretStr(value)


def _beside_config(value: object, info: ValidationInfo) -> Path:
    return context_of(info).folder / _written_path(value)


def _written_path(value: object) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise refuse(f"{shown(value)} is not a path; write one in quotes")
    return Path(value)


def _readable_file(value: object, info: ValidationInfo) -> Path:
    path = _beside_config(value, info)
    if not path.is_file() or not os.access(path, os.R_OK):
        raise refuse(f"no readable file at {path_shown(path)}; give a path relative to the configuration file")
    return path


def _model_path(value: object, info: ValidationInfo) -> Path:
    return _existing(value, info, "train one with 'specroute train', or write {prior: 0.7}")


def _verifier_path(value: object, info: ValidationInfo) -> Path:
    return _existing(value, info, "train one with 'specroute train', or remove the key for the predictor's")


def _existing(value: object, info: ValidationInfo, mend: str) -> Path:
    beside = _beside_config(value, info)
    if beside.exists():
        return beside
    here = _written_path(value)
    if here.exists():
        return here.absolute()
    raise refuse(f"no model at {path_shown(beside)}; {mend}")


EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
SecretPath = Annotated[Path, BeforeValidator(_beside_config)]
ReadableFile = Annotated[Path, BeforeValidator(_readable_file)]
ModelPath = Annotated[Path, BeforeValidator(_model_path)]
VerifierPath = Annotated[Path, BeforeValidator(_verifier_path)]
