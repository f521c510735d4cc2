"""Parses server-sent events (WHATWG HTML, section 9.2.6) from bytes as they arrive; does no IO.

Whatever the cuts between two reads, the same bytes give the same events, in time linear in their number. Nothing is
kept without a bound: a line, the data of one event and the whole stream each have one.
"""

from __future__ import annotations

from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"
_MAX_RETRY_DIGITS = 12
_PLAIN_START = b"data: "
_PLAIN_SEPARATOR = b"\n\ndata: "


class SseLimitExceeded(ValueError):
    """A stream went over one of its bounds; ``what`` is "line", "event" or "stream"."""

    def __init__(self, what: str, limit_bytes: int) -> None:
        super().__init__(f"{what} of more than {limit_bytes} bytes")
        self.what = what
        self.limit_bytes = limit_bytes


@dataclass(frozen=True, slots=True)
class NamedEvent:
    """An event with an ``event:`` field."""

    name: str
    data: bytes


Event = bytes | NamedEvent
"""A plain message is just its data, not decoded: it is what nearly all events are, and it costs no object."""


class SseParser:
    """Turns reads into events.

    Attributes:
        last_event_id: the last ``id:`` that came, or "".
        retry_ms: the last valid ``retry:`` that came; ``None``: none came.
    """

    __slots__ = (
        "_after_cr",
        "_data",
        "_data_bytes",
        "_head",
        "_line_parts",
        "_max_event_bytes",
        "_max_line_bytes",
        "_max_plain_bytes",
        "_max_total_bytes",
        "_name",
        "_part_bytes",
        "_total_bytes",
        "_unfinished",
        "last_event_id",
        "retry_ms",
    )

    def __init__(
        self,
        max_line_bytes: int = 1 << 20,
        max_event_bytes: int = 256 << 10,
        *,
        max_total_bytes: int = 8 << 20,
    ) -> None:
        self._max_line_bytes = max_line_bytes
        self._max_event_bytes = max_event_bytes
        self._max_total_bytes = max_total_bytes
        self._max_plain_bytes = min(max_line_bytes, max_event_bytes)  # what is shorter breaks neither bound
        self._total_bytes = 0
        self._head: bytes | None = b""  # the first bytes while they may be a byte order mark, then None
        self._after_cr = False  # the last byte was a CR: a LF that comes next belongs to it
        self._unfinished = False  # inside a line or an event; false at every blank line
        self._line_parts: list[bytes] = []
        self._part_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name = b""
        self.last_event_id = ""
        self.retry_ms: int | None = None

    def feed(self, data: bytes) -> list[Event]:
        """Returns the events that ``data`` completes, in order.

        Raises:
            SseLimitExceeded: a bound was passed; the stream is of no more use.
        """
        self._total_bytes += len(data)
        if self._total_bytes > self._max_total_bytes:
            raise SseLimitExceeded("stream", self._max_total_bytes)
        if self._head is not None:
            data = self._without_bom(data)
        if self._after_cr or b"\r" in data:
            data = self._with_line_feeds_only(data)
        events: list[Event] = []
        if self._unfinished:
            data = self._finish_event(data, events)
        end = data.rfind(b"\n\n")
        if end >= 0:
            self._take_blocks(data[:end], events)
            data = data[end + 2 :]
        while data:
            data = self._finish_event(data, events)
        return events

    def close(self) -> bool:
        """Ends the stream; an event without its blank line is dropped. Returns whether one was."""
        dropped = self._unfinished
        self._line_parts.clear()
        self._data.clear()
        self._part_bytes = self._data_bytes = 0
        self._name = b""
        self._unfinished = False
        return dropped

    def _without_bom(self, data: bytes) -> bytes:
        data = (self._head or b"") + data
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._head = data
            return b""
        self._head = None
        return data.removeprefix(_BOM)

    def _with_line_feeds_only(self, data: bytes) -> bytes:
        if not data:
            return data
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        # A lone CR ends its line at once: waiting for the next read would hold back a whole event.
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _take_blocks(self, blocks: bytes, events: list[Event]) -> None:
        """Reads whole events, with a blank line between each two and one to follow."""
        if blocks.startswith(_PLAIN_START) and len(blocks) <= self._max_plain_bytes:
            # What nearly every read looks like: nothing but messages of one line. If there are just as many line feeds
            # as the separators have, there are no others.
            payloads = blocks[len(_PLAIN_START) :].split(_PLAIN_SEPARATOR)
            if blocks.count(b"\n") == 2 * (len(payloads) - 1):
                events += payloads
                return
        for block in blocks.split(b"\n\n"):
            for line in block.split(b"\n"):
                self._take_line(line, events)
            self._take_line(b"", events)

    def _finish_event(self, data: bytes, events: list[Event]) -> bytes:
        """Reads lines up to the next blank one and returns what follows it; without one all of ``data`` is kept."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            line = data[start:end]
            start = end + 1
            if self._line_parts:
                self._line_parts.append(line)
                line = b"".join(self._line_parts)
                self._line_parts.clear()
                self._part_bytes = 0
            self._take_line(line, events)
            if not line:
                return data[start:]
        self._unfinished = True
        if start < len(data):
            rest = data[start:]
            self._part_bytes += len(rest)
            self._refuse_line(self._part_bytes)
            self._line_parts.append(rest)
        return b""

    def _take_line(self, line: bytes, events: list[Event]) -> None:
        if not line:
            self._dispatch(events)
            return
        self._refuse_line(len(line))
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data_bytes += len(value) + bool(self._data)
            if self._data_bytes > self._max_event_bytes:
                raise SseLimitExceeded("event", self._max_event_bytes)
            self._data.append(value)
        elif field == b"event":
            self._name = value
        elif field == b"id" and b"\0" not in value:
            self.last_event_id = value.decode("utf-8", "replace")
        elif field == b"retry" and value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
            self.retry_ms = int(value)

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            data = b"\n".join(self._data)
            events.append(NamedEvent(self._name.decode("utf-8", "replace"), data) if self._name else data)
            self._data.clear()
        self._data_bytes = 0
        self._name = b""
        self._unfinished = False

    def _refuse_line(self, size_bytes: int) -> None:
        if size_bytes > self._max_line_bytes:
            raise SseLimitExceeded("line", self._max_line_bytes)
