"""The load shape that Locust asks every second. Made only where one is chosen: Locust takes any that it can see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locust import LoadTestShape

from load_tests.inside.shapes import users_at

if TYPE_CHECKING:
    from locust.env import Environment

    from load_tests.inside.run import Run


class ShareOfUsers(LoadTestShape):
    """A share of ``--users`` that changes over ``--run-time``."""

    use_common_options = True

    def __init__(self, shape: str, environment: Environment, run: Run) -> None:
        super().__init__()
        self._shape = shape
        self._environment = environment
        self._run = run

    def tick(self) -> tuple[int, float] | None:
        """Returns how many users there are now, all of them started within a second; ``None``: the run is over."""
        options: Any = self._environment.parsed_options
        users = options.num_users or 1
        now = users_at(self._shape, self.get_run_time(), run_time_s=float(options.run_time), users=users)
        if now is None:
            self._run.has_ended = True
            return None
        return now, float(users)
