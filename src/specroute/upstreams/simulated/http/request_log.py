"""What happened to each request: when it began, when its first byte left, when it was over, and who closed it.

Never the prompt or the answer. One line is written the moment a request is over, so that a reader can measure how soon
a cancelled call was noticed: all three instants are CLOCK_MONOTONIC, comparable between processes of one machine.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAX_KEPT_RECORDS = 100_000
MAX_REQUEST_ID_LENGTH = 128

ClosedBy = Literal["server", "client", "fault"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request that is over.

    Attributes:
        request_id: the ``x-request-id`` header, else ``x-client-request-id``; "" without.
        model, tier: as asked for, and whose profile that was; "" where the request was refused before it was known.
        status: HTTP status sent; 0: none was.
        wall_start_s: seconds since the Unix epoch.
        start_s, first_byte_s, end_s: CLOCK_MONOTONIC seconds; ``first_byte_s`` is ``None`` when no byte was sent.
        closed_by: ``server`` (it answered, or was stopped), ``client`` (it left early), ``fault`` (simulated).
        finished: whether the last byte of a whole response was written.
        fault: the simulated fault; "" for none. A hang or stall ends when the client leaves: closed by ``client``.
        output_tokens: tokens of the answer that were sent.
    """

    request_id: str
    model: str
    tier: str
    stream: bool
    status: int
    wall_start_s: float
    start_s: float
    first_byte_s: float | None
    end_s: float
    closed_by: ClosedBy
    finished: bool
    fault: str
    finish_reason: str
    output_tokens: int


class Exchange:
    """A request that is going on; the server fills it in and ends it once."""

    __slots__ = (
        "_log", "_wall_start_s", "fault", "finish_reason", "first_byte_s", "is_over", "model", "output_tokens",
        "request_id", "start_s", "status", "stream", "tier",
    )  # fmt: skip

    def __init__(self, log: RequestLog, request_id: str) -> None:
        self._log = log
        self._wall_start_s = time.time_ns() / 1e9
        self.start_s = time.monotonic()
        self.request_id = request_id[:MAX_REQUEST_ID_LENGTH]
        self.model = ""
        self.tier = ""
        self.stream = False
        self.status = 0
        self.first_byte_s: float | None = None
        self.fault = ""
        self.finish_reason = ""
        self.output_tokens = 0
        self.is_over = False

    def sending(self, status: int) -> None:
        """Notes that the response begins now."""
        self.status = status
        self.first_byte_s = time.monotonic()

    def end(self, closed_by: ClosedBy, *, finished: bool = False) -> None:
        """Records the end; the first call counts."""
        if self.is_over:
            return
        self.is_over = True
        record = RequestRecord(
            request_id=self.request_id,
            model=self.model,
            tier=self.tier,
            stream=self.stream,
            status=self.status,
            wall_start_s=self._wall_start_s,
            start_s=self.start_s,
            first_byte_s=self.first_byte_s,
            end_s=time.monotonic(),
            closed_by=closed_by,
            finished=finished,
            fault=self.fault,
            finish_reason=self.finish_reason,
            output_tokens=self.output_tokens,
        )
        self._log.add(record)


class RequestLog:
    """The requests of one server: counted, the last 100,000 kept, each appended to a file where one is named.

    Attributes:
        in_flight: requests begun and not over.
        count: requests that are over.
        records: the last of them, oldest first.
        lost_lines: records that could not be written to the file (they are kept in memory all the same).
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._file: int | None = None
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self.in_flight = 0
        self.count = 0
        self.records: deque[RequestRecord] = deque(maxlen=MAX_KEPT_RECORDS)
        self.lost_lines = 0

    def open(self) -> None:
        """Opens the file for appending.

        Raises:
            OSError: it cannot be opened.
        """
        if self._path is not None:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def close(self) -> None:
        """Closes the file; further records are only kept in memory."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def begin(self, request_id: str) -> Exchange:
        """Starts the record of a request."""
        self.in_flight += 1
        self._wake()
        return Exchange(self, request_id)

    def add(self, record: RequestRecord) -> None:
        """Keeps and writes a record: one ``write(2)``, so that readers never see half a line of ours."""
        self.in_flight -= 1
        self.count += 1
        self.records.append(record)
        self._write(orjson.dumps(asdict(record)) + b"\n")
        self._wake()

    async def until(self, holds: Callable[[RequestLog], bool]) -> None:
        """Waits until ``holds(log)``, which is tried whenever a request begins or is over."""
        if holds(self):
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append((lambda: holds(self), waiter))
        await waiter

    def _write(self, line: bytes) -> None:
        if self._file is None:
            return
        try:
            written = os.write(self._file, line)
        except OSError as error:
            written = 0
            if self.lost_lines == 0:
                logger.warning("cannot write the request log: %s", error)
        self.lost_lines += written != len(line)

    def _wake(self) -> None:
        for waiter in [waiter for waiter in self._waiters if waiter[0]()]:
            self._waiters.remove(waiter)
            if not waiter[1].done():
                waiter[1].set_result(None)
