"""The users: each with a connection of its own, and intended times of its own."""

from __future__ import annotations

import contextlib
import itertools
import time
from typing import TYPE_CHECKING, ClassVar

from locust import User, task
from locust.exception import StopUser

from load_tests.inside.feed import Arrivals, case_key, mean_gap_s
from load_tests.rows import CallRow, answer_fields, failure_fields
from specroute.core.stream import Delta
from specroute.edge.client.aio import Answered, RouteFailed
from specroute.edge.client.session import RouterSession

if TYPE_CHECKING:
    from load_tests.inside.run import Run
    from specroute.load.cases import Case

FIRST_TOKEN, WHOLE = "grpc-ttft", "grpc"
"""The request types of a call's two entries in Locust's statistics."""

CONNECT_S = 5.0


class MixedUp(Exception):
    """The answer is not what the tier that it names has said: the worst failure there is."""


class CallFailed(Exception):
    """A call that ended with a status: its code and reason, so that Locust counts the same ones together."""


class RouterUser(User):
    """Sends cases at its own times; a subclass says by which RPC."""

    abstract = True
    run_here: ClassVar[Run]
    """What all users of this process share; set before the first one starts."""

    first_token_s: float | None = None
    """Of the call that runs: seconds until its first token; ``None``: not streamed, or none came."""

    _numbers: ClassVar[itertools.count[int]] = itertools.count()

    def on_start(self) -> None:
        """Connects, so that no call has to wait for it."""
        run = self.run_here
        self._session = RouterSession(run.server, run.tls)
        self._session.connect(timeout_s=CONNECT_S)  # one that does not come shows in the calls
        self._arrivals = Arrivals(run.settings.seed, run.offset + next(self._numbers), now_s=time.perf_counter())
        self._has_begun = False

    def on_stop(self) -> None:
        """Closes the connection."""
        self._session.close()

    def wait_time(self) -> float:
        """Returns how long to wait for the next intended time, in seconds."""
        run = self.run_here
        return self._arrivals.wait_s(mean_gap_s(run.rate, run.users), now_s=time.perf_counter())

    @task
    def send(self) -> None:
        """Sends the next case and notes what came of it; before the first one it waits as before any other."""
        run = self.run_here
        if not self._has_begun:
            self._has_begun = True
            self.wait()
        case = run.feed.take()
        if case is None:
            raise StopUser
        self.first_token_s = None
        began_s = time.perf_counter()
        end = self._end(case, began_s)
        latency_s = time.perf_counter() - began_s
        error: Exception | None
        if isinstance(end, Answered):
            graded, genuine = run.judge(case, end)
            found = {**answer_fields(end), "is_right": graded, "is_from_its_tier": genuine}
            error = None if genuine else MixedUp(f"the answer is not what tier {end.tier} has said")
        else:
            found, error = failure_fields(end), CallFailed(f"{end.code} {end.reason}".strip())
        row = CallRow(
            rpc=self.rpc(),
            case=case_key(case),
            source=case.source,
            began_s=began_s - run.began_s,
            late_s=max(0.0, began_s - self._arrivals.due_s),
            latency_s=latency_s,
            first_token_s=self.first_token_s,
            **found,
        )
        self._note(row, error, len(end.text) if isinstance(end, Answered) else 0)

    def _end(self, case: Case, began_s: float) -> Answered | RouteFailed:
        try:
            return self.call(case, began_s)
        except RouteFailed as error:
            return error

    def call(self, case: Case, began_s: float) -> Answered:
        """Returns the answer to ``case``; of a stream it notes when the first token came.

        Raises:
            RouteFailed: the call ended with a status.
        """
        raise NotImplementedError

    @classmethod
    def rpc(cls) -> str:
        """Returns the name of the RPC."""
        raise NotImplementedError

    def _note(self, row: CallRow, error: Exception | None, length: int) -> None:
        """Tells Locust's statistics and ours."""
        first_s = row.first_token_s
        if first_s is None and not row.has_failed:
            first_s = row.latency_s  # a unary caller sees the first token with the last
        if first_s is not None:
            # Beside the event, not by one: Locust adds up every event in one row, which would mix the two times.
            self.environment.stats.get(row.rpc, FIRST_TOKEN).log(first_s * 1000.0, 0)
        self.environment.events.request.fire(
            request_type=WHOLE,
            name=row.rpc,
            response_time=row.latency_s * 1000.0,
            response_length=length,
            exception=error,
            context={},
        )
        self.run_here.collected(row)


class RouteUser(RouterUser):
    """Calls ``Route``."""

    @classmethod
    def rpc(cls) -> str:
        """Returns ``Route``."""
        return "Route"

    def call(self, case: Case, began_s: float) -> Answered:
        """Returns the answer; nothing of it comes before its end."""
        return self._session.route(case.request, timeout_s=self.run_here.settings.deadline_s)


class RouteStreamUser(RouterUser):
    """Calls ``RouteStream`` and reads the answer as it comes."""

    @classmethod
    def rpc(cls) -> str:
        """Returns ``RouteStream``."""
        return "RouteStream"

    def call(self, case: Case, began_s: float) -> Answered:
        """Returns the answer and notes when its first token came; in COMMITTED delivery every delta lasts."""
        answer: Answered | None = None
        events = self._session.stream(case.request, timeout_s=self.run_here.settings.deadline_s)
        with contextlib.closing(events):
            for event in events:
                if isinstance(event, Delta) and self.first_token_s is None:
                    self.first_token_s = time.perf_counter() - began_s
                elif isinstance(event, Answered):
                    answer = event
        if answer is None:
            raise RouteFailed("UNKNOWN", "STREAM_WITHOUT_END", "the stream ended without a completed answer")
        return answer
