"""``specroute serve``: the service."""

from __future__ import annotations

import os
import signal
from pathlib import Path  # noqa: TC003 - typer reads the annotation when it runs
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from specroute.app import RunningApp
    from specroute.config import Settings


def serve(
    config: Annotated[Path, typer.Option(metavar="FILE", help="The YAML configuration.", show_default=False)],
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Serve until SIGTERM or Ctrl-C, then drain; a second signal stops at once.

    Prints "serving on HOST:PORT metrics on HOST:PORT" once ready. Logs are JSON lines on stderr.

    Example: specroute serve --config config.example.yaml
    """
    import anyio

    from specroute.cli.stale import tuning_warnings
    from specroute.config import ConfigError, load_settings
    from specroute.telemetry.logs import configure_logs, log_stale_tuning

    if log_level not in ("debug", "info", "warning", "error"):
        raise typer.BadParameter("use debug, info, warning or error", param_hint="--log-level")
    configure_logs(log_level)
    # gRPC's own lines are no JSON, and tell nothing that the service does not.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        settings = load_settings(config)
        for warning in tuning_warnings(settings):
            log_stale_tuning(warning)
        anyio.run(_serve, settings)
    except (ConfigError, OSError, ValueError) as error:
        typer.echo(f"specroute serve: {_placed(error, config)}", err=True)
        raise typer.Exit(1) from None


def _placed(error: Exception, config: Path) -> str:
    """Returns what is wrong, with file, line and key where a setting is to blame."""
    from specroute.app import SettingRefused
    from specroute.config.parse import decode, parse

    if not isinstance(error, SettingRefused):
        return str(error)
    document = parse(str(config), decode(str(config), config.read_bytes()))
    return str(document.problem(document.known(error.key), str(error)))


async def _serve(settings: Settings) -> None:
    import gc

    import anyio

    from specroute.app import running

    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with running(settings) as app:
            # What start-up made lives for ever: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            typer.echo(f"serving on {app.addresses.serving} metrics on {app.addresses.metrics}")
            await anext(signals)
            await _drain_or_second_signal(app, signals)


async def _drain_or_second_signal(app: RunningApp, signals: AsyncIterator[signal.Signals]) -> None:
    import anyio

    async with anyio.create_task_group() as group:

        async def stop_at_once() -> None:
            await anext(signals)
            group.cancel_scope.cancel()

        group.start_soon(stop_at_once)
        await app.drain()
        group.cancel_scope.cancel()
