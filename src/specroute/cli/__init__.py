"""The command line: one module per group of verbs; errors are one line that says what to do.

Exit codes: 0 done, 1 failure, 2 usage. Heavy imports wait until a verb needs them, so that ``--help`` is quick.
"""

import typer

from specroute.cli.calling.bench import bench
from specroute.cli.calling.call import decide, route
from specroute.cli.check_config import check_config
from specroute.cli.demo import demo
from specroute.cli.learning.calibrate import calibrate
from specroute.cli.learning.evaluate import evaluate
from specroute.cli.learning.replay import replay
from specroute.cli.learning.train import train
from specroute.cli.learning.tune import tune
from specroute.cli.serve import serve
from specroute.cli.simulate import simulate

app = typer.Typer(
    name="specroute",
    help="Speculative parallel routing of LLM calls: the cheapest model that can reliably solve the task.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(serve)
app.command()(route)
app.command()(decide)
app.command()(bench)
app.command("check-config")(check_config)
app.command()(simulate)
app.command()(train)
app.command()(calibrate)
app.command()(evaluate)
app.command()(replay)
app.command()(tune)


def main() -> None:
    """Runs the verb that the arguments name."""
    app()
