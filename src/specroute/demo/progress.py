"""Live progress: a bar per policy on a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console
    from rich.progress import TaskID


class ConsoleProgress:
    """Shows how far the demo is on ``console``, for the length of a ``with`` block."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description:<13}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> ConsoleProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def started(self, policy: str, total: int) -> None:
        """Adds a bar, or prints a line."""
        self._tasks[policy] = self._bars.add_task(policy, total=total)
        self._say(f"{policy}: sending {total} requests")

    def advanced(self, policy: str) -> None:
        """Moves the bar."""
        self._bars.advance(self._tasks[policy])

    def finished(self, policy: str) -> None:
        """Leaves the bar full, or prints a line."""
        self._say(f"{policy}: done")

    def _say(self, line: str) -> None:
        if not self._console.is_terminal:
            self._console.print(line, highlight=False)
