"""``specroute route --stream``: prints an answer while it comes.

On a terminal provisional text is shown at once and struck off by a line of its own when it is taken back. Anywhere else
it waits until the winner is fixed, as what went into a pipe or a file cannot be taken back.
"""

from __future__ import annotations

import sys
from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specroute.core.stream import DeliveryWish
    from specroute.edge.client.blocking import RouteRequest, RouteResponse, RouteStreamResponse
    from specroute.edge.client.channel import ClientTls


class Delivery(StrEnum):
    """When the text is shown, as an option's value."""

    COMMITTED = "committed"
    HOLD_BACK = "hold_back"
    PROVISIONAL = "provisional"


def read_wish(
    *, stream: bool, delivery: Delivery | None, hold_tokens: int | None, hold_duration: str | None
) -> DeliveryWish:
    """Returns how the answer is to be delivered.

    Raises:
        typer.BadParameter: the options contradict one another; the message says which to change.
    """
    from specroute.core.stream import DeliveryMode, DeliveryWish

    holds = hold_tokens is not None or hold_duration is not None
    if not stream and (delivery is not None or holds):
        given = "--delivery" if delivery is not None else _first_hold(hold_tokens)
        raise typer.BadParameter("says how a stream is delivered; add --stream", param_hint=given)
    if delivery is not Delivery.HOLD_BACK:
        if holds:
            hint = _first_hold(hold_tokens)
            raise typer.BadParameter("bounds what is held back; add --delivery hold_back", param_hint=hint)
        return DeliveryWish(DeliveryMode.PROVISIONAL if delivery is Delivery.PROVISIONAL else DeliveryMode.COMMITTED)
    if not holds:
        how = "hold_back needs to know for how long; add --hold-tokens 32 or --hold-duration 250ms"
        raise typer.BadParameter(how, param_hint="--delivery")
    return DeliveryWish(DeliveryMode.HOLD_BACK, hold_tokens, _hold_s(hold_duration))


def print_stream(
    server: str, request: RouteRequest, wish: DeliveryWish, timeout_s: float, tls: ClientTls | None = None
) -> RouteResponse | None:
    """Prints the answer as it comes and returns the whole reply; ``None``: the stream ended without one.

    Raises:
        CallFailed: it ended with a status.
    """
    from specroute.edge.client.blocking import route_stream

    screen = _Screen(is_live=sys.stdout.isatty())
    with closing(route_stream(server, request, wish=wish, timeout_s=timeout_s, tls=tls)) as events:
        try:
            return screen.show(events)
        finally:
            screen.end_line()


def print_json_lines(
    server: str, request: RouteRequest, wish: DeliveryWish, timeout_s: float, tls: ClientTls | None = None
) -> None:
    """Prints every event in the proto's JSON form, one a line.

    Raises:
        CallFailed: the stream ended with a status.
    """
    from specroute.edge.client.blocking import route_stream, to_json_line

    with closing(route_stream(server, request, wish=wish, timeout_s=timeout_s, tls=tls)) as events:
        for event in events:
            typer.echo(to_json_line(event))


def _first_hold(hold_tokens: int | None) -> str:
    return "--hold-duration" if hold_tokens is None else "--hold-tokens"


def _hold_s(text: str | None) -> float | None:
    from specroute.config.durations import parse_duration_s

    if text is None:
        return None
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--hold-duration") from None


class _Screen:
    """Where the text goes. ``is_live``: a person watches, so that text can be shown before it is certain."""

    def __init__(self, *, is_live: bool) -> None:
        self._is_live = is_live
        self._tiers: list[str] = []
        self._held: dict[int, list[str]] = {}
        self._shown: set[int] = set()
        self._in_line = False

    def show(self, events: Iterable[RouteStreamResponse]) -> RouteResponse | None:
        """Prints what ``events`` bring and returns the last one's reply."""
        for event in events:
            match event.WhichOneof("event"):
                case "decided":
                    self._tiers = [leg.tier for leg in event.decided.decision.plan.legs]
                case "delta" if event.delta.provisional and not self._is_live:
                    self._held.setdefault(event.delta.leg, []).append(event.delta.text)
                case "delta":
                    self._shown.add(event.delta.leg)
                    self._print(event.delta.text)
                    if event.delta.HasField("tool_call"):
                        self.end_line()
                        self._print(f"{event.delta.tool_call.name}({event.delta.tool_call.arguments_json})\n")
                case "superseded":
                    self._take_back(event.superseded.leg, event.superseded.reason)
                case "committed":
                    self._print("".join(self._held.pop(event.committed.leg, ())))
                case "completed":
                    return event.completed
        return None

    def end_line(self) -> None:
        """Ends the line that was begun, if one was."""
        if self._in_line:
            self._print("\n")

    def _take_back(self, leg: int, reason: str) -> None:
        self._held.pop(leg, None)
        if leg not in self._shown:
            return
        self._shown.discard(leg)
        self.end_line()
        who = self._tiers[leg] if leg < len(self._tiers) else f"leg {leg}"
        typer.secho(f"[taken back: {who}, {reason}]", err=True, dim=True)

    def _print(self, text: str) -> None:
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()
            self._in_line = not text.endswith("\n")
