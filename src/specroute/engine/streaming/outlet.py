"""What the caller of a stream is shown: turns the run of a plan into events, in an order that never mixes two legs.

Events are put in line by plain calls, in the very turn in which something is decided, and written by ``flush``. The
committed leg flushes before it reads on, so while the reader is slow its upstream is not read and nothing piles up.
Before the commit no leg waits for the reader, or a slow one would decide the race; what is not written yet becomes part
of the next event, and no text is kept here that the transcript would not keep anyway.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from specroute.core.request import estimated_tokens, utf8_length
from specroute.core.stream import Committed, Delivered, DeliveryMode, Delta, Superseded
from specroute.validators.contract import OutputContract
from specroute.validators.deliverable import DeliverableText

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.core.outcome import Completion
    from specroute.core.plan import Leg
    from specroute.core.ports import EventSink
    from specroute.core.request import RouteRequest
    from specroute.core.stream import CommitReason, StreamEvent
    from specroute.engine.leg.transcript import Transcript
    from specroute.validators.judge import ConfiguredValidator

MAX_DELTA_CHARACTERS = 262_144
"""A longer text goes out in several events: many clients take messages up to 4 MiB."""


class _Shown:
    """What was shown of one leg, and how its text is brought into the form that is delivered."""

    __slots__ = ("form", "sent", "transcript")

    def __init__(self, transcript: Transcript, form: DeliverableText | None) -> None:
        self.transcript = transcript
        self.form = form
        self.sent = 0

    def certain(self) -> str:
        """Returns the deliverable text as far as it is certain."""
        text = self.transcript.text
        return text if self.form is None or self.form.is_verbatim else self.form.certain(text)


class Outlet:
    """The events of one stream. ``legs``: the plan's legs and its escalation."""

    def __init__(
        self,
        sink: EventSink,
        mode: DeliveryMode,
        *,
        request: RouteRequest,
        legs: Sequence[Leg],
        validators: Sequence[ConfiguredValidator],
    ) -> None:
        self._sink = sink
        self._is_provisional = mode is DeliveryMode.PROVISIONAL
        self._request = request
        self._legs = legs
        # Without the contract's check nothing is taken off an answer, so nothing may be taken off its deltas.
        self._keeps_form = any(each.validator.name == OutputContract.name for each in validators)
        self._shown: dict[int, _Shown] = {}
        self._superseded: set[int] = set()
        self._written_bytes = [0] * len(legs)
        self._line: deque[StreamEvent] = deque()
        self._is_writing = False
        self._was_cut = False
        self._written: anyio.Event | None = None
        self.committed_leg: int | None = None
        self.has_reader = True

    @property
    def has_news(self) -> bool:
        """Whether an event waits to be written."""
        return bool(self._line) and not self._was_cut

    @property
    def longest_flush_s(self) -> float:
        """How long ``flush`` may wait for a slow reader, in seconds."""
        return (len(self._line) + self._is_writing) * self._sink.patience_s

    @property
    def is_writing(self) -> bool:
        """Whether some task writes what is in line."""
        return self._is_writing

    def heard(self, leg: int, transcript: Transcript) -> None:
        """Takes note of the call that ``leg`` makes now."""
        shown = self._shown.get(leg)
        if shown is None or shown.transcript is not transcript:
            self._shown[leg] = _Shown(transcript, DeliverableText(self._request) if self._keeps_form else None)

    def forget(self, leg: int) -> None:
        """Takes note that the call of ``leg`` failed before anything of it was shown, and that another may be made."""
        self._shown.pop(leg, None)

    def has_shown(self, leg: int) -> bool:
        """Returns whether the caller has seen a part of ``leg``."""
        shown = self._shown.get(leg)
        return shown is not None and shown.sent > 0

    def show(self, leg: int) -> None:
        """Shows what is new of ``leg``: the committed one, or in provisional delivery the one in front."""
        is_committed = leg == self.committed_leg
        shown = self._shown.get(leg)
        if shown is None or not (is_committed or (self._is_provisional and self.committed_leg is None)):
            return
        self._append(leg, shown, shown.certain())

    def forward(self, leg: int, text: str) -> None:
        """Shows ``text``, the latest part of the committed leg: ``show`` without looking at the whole."""
        shown = self._shown[leg]
        if len(text) > MAX_DELTA_CHARACTERS or (shown.form is not None and not shown.form.is_verbatim):
            self._append(leg, shown, shown.certain())
        elif text:
            shown.sent += len(text)
            self._put(Delta(leg, text))

    def supersede(self, leg: int, reason: str) -> None:
        """Takes back what was shown of ``leg``, where anything was."""
        if leg not in self._superseded and self.has_shown(leg):
            self._superseded.add(leg)
            self._line.append(Superseded(leg, reason))

    def commit(self, leg: int, reason: CommitReason) -> None:
        """Fixes the winner: takes back what other legs showed, then shows what was held of this one."""
        for other in self._shown:
            if other != leg:
                self.supersede(other, "lost_race")
        self.committed_leg = leg
        self._line.append(Committed(leg, self._legs[leg].tier, reason))
        self.show(leg)

    def complete(self, leg: int, completion: Completion, text: str) -> None:
        """Shows the rest of the whole answer of the committed leg: ``text`` as delivered, then its tool calls."""
        shown = self._shown.get(leg)
        if shown is None:
            return
        self._append(leg, shown, text)
        for call in completion.tool_calls:
            self._line.append(Delta(leg, tool_call=call))

    async def flush(self, *, shielded: bool = False) -> None:
        """Writes what is in line. One task writes at a time; the others wait until it has written theirs, too.

        ``shielded``: a write is finished though its task is cancelled meanwhile. The committed leg needs no shield,
        which costs as much as the write itself: what cancels that leg ends the stream.
        """
        while self._is_writing:
            if self._written is None:
                self._written = anyio.Event()
            await self._written.wait()
        self._is_writing, sending = True, False
        try:
            while self.has_news and self.has_reader:
                event = self._line.popleft()
                if isinstance(event, Delta):  # counted even if the write stalls: it stands in line, and may yet arrive
                    self._written_bytes[event.leg] += utf8_length(event.text)
                sending = True
                if shielded:
                    with anyio.CancelScope(shield=True):
                        self.has_reader = await self._sink.send(event)
                else:
                    self.has_reader = await self._sink.send(event)
                sending = False
                if self._line:  # what the shield kept out is met here
                    await anyio.lowlevel.checkpoint_if_cancelled()
        finally:
            self._is_writing = False
            self._was_cut |= sending  # nothing can follow half a message
            if self._written is not None:
                self._written.set()
                self._written = None

    def tokens(self, leg: int) -> int:
        """Returns how many output tokens of ``leg`` have come."""
        shown = self._shown.get(leg)
        return 0 if shown is None else shown.transcript.output_tokens

    def delivered(self) -> Delivered | None:
        """Returns how much of the committed leg was written; ``None``: no leg was committed."""
        leg = self.committed_leg
        if leg is None:
            return None
        size = self._written_bytes[leg]
        return Delivered(leg, self._legs[leg].tier, estimated_tokens(size), size)

    def _append(self, leg: int, shown: _Shown, text: str) -> None:
        while shown.sent < len(text):
            part = text[shown.sent : shown.sent + MAX_DELTA_CHARACTERS]
            shown.sent += len(part)
            self._put(Delta(leg, part, leg != self.committed_leg))

    def _put(self, delta: Delta) -> None:
        """Puts a delta in line, as part of the one before where that has not been written yet."""
        last = self._line[-1] if self._line else None
        if (
            isinstance(last, Delta)
            and (last.leg, last.provisional, last.tool_call) == (delta.leg, delta.provisional, None)
            and len(last.text) + len(delta.text) <= MAX_DELTA_CHARACTERS
        ):
            self._line[-1] = last._replace(text=last.text + delta.text)
        else:
            self._line.append(delta)
