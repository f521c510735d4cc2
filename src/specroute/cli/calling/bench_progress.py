"""How far a load run is: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

OK = "OK"


class BenchProgress:
    """Shows calls in flight, failed and finished on ``console``, for the length of a ``with`` block."""

    def __init__(self, console: Console, total: int) -> None:
        self._bar = Progress(
            TextColumn("{task.description:<32}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            refresh_per_second=4,  # drawing takes time from the requests
        )
        self._task = self._bar.add_task("", total=total)
        self._in_flight = self._failed = 0

    def __enter__(self) -> BenchProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def sent(self) -> None:
        """Counts one more in flight."""
        self._in_flight += 1

    def finished(self, status: str) -> None:
        """Moves the bar."""
        self._in_flight -= 1
        self._failed += status != OK
        if not self._bar.disable:
            told = f"{self._in_flight} in flight, {self._failed} failed"
            self._bar.update(self._task, advance=1, description=told)
