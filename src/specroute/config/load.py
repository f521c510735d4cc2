"""From a YAML file to settings, or to one line that says what to mend."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from specroute.config.errors import ConfigError, Problem
from specroute.config.explain import explain
from specroute.config.parse import MAX_FILE_BYTES, decode, parse
from specroute.config.schema.checks import cross_check
from specroute.config.schema.settings import Settings
from specroute.config.schema.values.files import LoadContext


def load_settings(path: str | os.PathLike[str], environ: Mapping[str, str] | None = os.environ) -> Settings:
    """Reads, validates and freezes a configuration file.

    Args:
        path: the file; relative paths in it start at its folder.
        environ: where secrets are looked up, once, now; ``None``: secrets are neither looked up nor checked.

    Raises:
        ConfigError: the file cannot be used; its text is one line with file, line, key and mend.
    """
    file = os.fspath(path)
    try:
        with open(file, "rb") as source:
            raw = source.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else "not readable"
        raise ConfigError((Problem(file, None, "", f"cannot be read: {why}; give the path of a YAML file"),)) from None
    return parse_settings(decode(file, raw), file, folder=Path(file).absolute().parent, environ=environ)


def parse_settings(
    text: str, file: str = "configuration", *, folder: Path, environ: Mapping[str, str] | None = os.environ
) -> Settings:
    """Validates and freezes a configuration given as text; ``file`` is what messages call it.

    Raises:
        ConfigError: as ``load_settings``.
    """
    document = parse(file, text)
    try:
        settings = Settings.model_validate(document.root, context=LoadContext(folder, environ))
    except ValidationError as error:
        raise ConfigError((*document.problems, *explain(document, error))) from None
    problems = (
        *document.problems,
        *(document.problem(document.known(path), what) for path, what in cross_check(settings)),
    )
    if problems:
        raise ConfigError(problems)
    return settings
