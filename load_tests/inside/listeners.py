"""How a run hangs on Locust's events: start, web pages, workers and master, the end."""

from __future__ import annotations

import signal
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

import gevent
from locust.runners import MasterRunner, WorkerRunner

from load_tests.inside.load_shape import ShareOfUsers
from load_tests.inside.options import OptionsError, add_options, server_address, settings_of, tls_of
from load_tests.inside.run import WORKER_STRIDE, Run, mix_of
from load_tests.inside.shapes import STEADY
from load_tests.inside.shown import as_page, as_text
from load_tests.inside.users import RouterUser
from specroute.edge.client.probe import ask_health
from specroute.learn.readers import OutcomesError

if TYPE_CHECKING:
    from locust.env import Environment
    from locust.event import Events

    from load_tests.inside.options import Settings

FAILURE, USAGE_ERROR = 1, 2
KEY = "specroute"
TOLERANCE_S = 0.5
"""A run whose time was up has lasted at least its time less this."""


def listen(events: Events) -> None:
    """Hangs everything on ``events``."""
    events.init_command_line_parser.add_listener(_add_options)
    events.init.add_listener(_begin)


def _add_options(parser: Any, **_: Any) -> None:
    # Locust finds the argument by its name.
    add_options(parser)


def _begin(environment: Environment, **_: Any) -> None:
    """Checks what was given and gets everything ready; gives up in one line before the first request."""
    options, runner = environment.parsed_options, environment.runner
    is_distributed = isinstance(runner, (MasterRunner, WorkerRunner))
    try:
        settings = settings_of(options, environment.host, is_distributed=is_distributed)
        mix = mix_of(settings)
    except OptionsError as error:
        _give_up(USAGE_ERROR, str(error))
    except OutcomesError as error:
        _give_up(FAILURE, str(error))
    is_worker = isinstance(runner, WorkerRunner)
    if not is_worker:
        _require_server(settings, must=environment.web_ui is None)
    run = Run(settings, mix, settings.server, settings.rate, is_worker=is_worker, tls=settings.tls)
    RouterUser.run_here = run
    _interrupt_here()
    if not environment.stop_timeout:
        # Calls in flight at the end are waited for: cutting them off would leave out the slowest.
        environment.stop_timeout = settings.deadline_s
    if settings.requests is not None:
        run.on_last = lambda: gevent.spawn(_end, environment)
    if settings.shape != STEADY:
        environment.shape_class = ShareOfUsers(settings.shape, environment, run)
        environment.shape_class.runner = runner
    _hang(environment, run)


def _interrupt_here() -> None:
    """Makes Ctrl-C strike this greenlet, which Locust's is waiting in, and not whichever runs: a user, or the hub."""
    waiting = gevent.getcurrent()
    gevent.signal_handler(signal.SIGINT, lambda: gevent.kill(waiting, KeyboardInterrupt))


def _hang(environment: Environment, run: Run) -> None:
    events = environment.events

    def starts(**_: Any) -> None:
        _read_again(environment, run)
        run.restart()

    def sends(client_id: str, data: dict[str, Any], **_: Any) -> None:
        data[KEY] = run.taken()

    def receives(client_id: str, data: dict[str, Any], **_: Any) -> None:
        run.added(data.get(KEY, ()))

    def stopping(**_: Any) -> None:
        limit_s = getattr(environment.parsed_options, "run_time", None)
        elapsed_s = time.perf_counter() - run.began_s
        if environment.shape_class is None and limit_s and elapsed_s >= float(limit_s) - TOLERANCE_S:
            run.has_ended = True

    events.test_start.add_listener(starts)
    events.test_stopping.add_listener(stopping)
    if run.is_worker:
        events.report_to_master.add_listener(sends)
        return
    events.worker_report.add_listener(receives)
    events.reset_stats.add_listener(lambda **_: run.rows.clear())
    events.quitting.add_listener(lambda **_: _conclude(environment, run))
    _add_pages(environment, run)


def _read_again(environment: Environment, run: Run) -> None:
    """Takes what the web UI, or a worker's master, may have changed since."""
    options, runner = environment.parsed_options, environment.runner
    assert options is not None
    if isinstance(runner, WorkerRunner):
        run.offset = (runner.worker_index + 1) * WORKER_STRIDE
        run.users = getattr(options, "users_in_all", None) or options.num_users or 1
    else:
        # A name that Locust does not know goes to workers, unlike --users itself.
        options.users_in_all = run.users = options.num_users or 1
    run.rate = float(options.rate)
    try:
        host, first = environment.host, run.settings
        run.server, run.tls = (server_address(host), tls_of(options, host)) if host else (first.server, first.tls)
    except OptionsError as error:
        sys.stderr.write(f"{error}; going on with {run.server}\n")


def _conclude(environment: Environment, run: Run) -> None:
    """Writes and shows the report, and judges: the exit code is 1 where an SLO is missed."""
    try:
        told = run.write()
    except OSError as error:
        _give_up(FAILURE, f"{error.filename}: {error.strerror}; give another path")
    sys.stderr.write(f"\n{as_text(told)}\n")
    missed = [slo for slo in told["slos"] if not slo["kept"]]
    if missed:
        environment.process_exit_code = FAILURE
    elif any(slo.metric == "error_ratio" for slo in run.settings.slos):
        environment.process_exit_code = 0  # how many failures are too many was said


def _add_pages(environment: Environment, run: Run) -> None:
    web_ui = environment.web_ui
    if web_ui is None or web_ui.app is None:
        return

    @web_ui.app.route("/specroute")
    @web_ui.auth_required_if_enabled
    def page() -> str:
        return as_page(run.report())

    @web_ui.app.route("/specroute.json")
    @web_ui.auth_required_if_enabled
    def figures() -> dict[str, Any]:
        return run.report()


def _require_server(settings: Settings, *, must: bool) -> None:
    server, health = settings.server, ask_health(settings.server, tls=settings.tls)
    if health.status == "SERVING":
        return
    start = "start one with `specroute serve` or give --host HOST:PORT"
    line = health.why or f"no server answers at {server} ({health.status}); {start}"
    if must:
        _give_up(FAILURE, line)
    sys.stderr.write(f"{line}\n")


def _end(environment: Environment) -> None:
    """Ends the test from a greenlet that is none of its users."""
    runner = environment.runner
    if runner is None:
        return
    if environment.web_ui is None:
        runner.quit()
    else:
        runner.stop()


def _give_up(code: int, line: str) -> NoReturn:
    sys.stderr.write(f"locust: {line}\n")
    raise SystemExit(code)
