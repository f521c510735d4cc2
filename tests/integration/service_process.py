"""``specroute serve`` as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import anyio

from tests.integration.conftest import as_yaml

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import Process

READY_WITHIN_S = 30.0


@dataclass
class ServiceProcess:
    """A service that said it is ready."""

    process: Process
    first_line: str
    stdout: list[bytes]
    stderr: list[bytes]

    @property
    def address(self) -> str:
        return self.first_line.split()[2]

    @property
    def metrics_address(self) -> str:
        return self.first_line.split()[5]

    async def stop(self, number: signal.Signals = signal.SIGTERM, within_s: float = 10.0) -> int:
        """Sends a signal and returns the exit code."""
        self.process.send_signal(number)
        with anyio.fail_after(within_s):
            return await self.process.wait()


def command(config_path: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "specroute", "serve", "--config", str(config_path), *arguments]


@asynccontextmanager
async def service_process(
    document: dict[str, Any], environ: dict[str, str] | None = None, *arguments: str
) -> AsyncIterator[ServiceProcess]:
    """Starts the service, waits until it is ready, and kills it at the end if it still runs."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        await anyio.Path(path).write_text(as_yaml(document))
        process = await anyio.open_process(command(path, *arguments), env={**os.environ, **(environ or {})})
        assert process.stdout is not None
        assert process.stderr is not None
        stdout: list[bytes] = []
        stderr: list[bytes] = []
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_gather, process.stderr, stderr)
                line = b""
                with anyio.fail_after(READY_WITHIN_S):
                    while b"\n" not in line:
                        line += await process.stdout.receive()
                group.start_soon(_gather, process.stdout, stdout)
                yield ServiceProcess(process, line.decode().splitlines()[0], stdout, stderr)
                if process.returncode is None:
                    process.kill()
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
            await process.aclose()


async def _gather(stream: Any, into: list[bytes]) -> None:
    async for data in stream:
        into.append(data)  # noqa: PERF401 - read by others while it grows


def refusal(document: dict[str, Any] | str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs ``specroute serve`` with a configuration that it should refuse."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_text(document if isinstance(document, str) else as_yaml(document))
        return subprocess.run(
            command(path),
            env={**os.environ, **(environ or {})},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
