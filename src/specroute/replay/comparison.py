"""Several policies on the same rows: which are played, in what order, and what can be said when one was cut short."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from specroute.app import SettingRefused
from specroute.config.parse import path_text
from specroute.replay.answers import ReplayError
from specroute.replay.policies import ALWAYS_LARGE, BASELINES, CONFIGURED, NamedPolicy, baselines, mini_p95_s
from specroute.replay.run import check_settings, replay
from specroute.replay.scores import Scores
from specroute.replay.table import summarise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from specroute.config import Settings
    from specroute.learn.dataset import Outcome
    from specroute.replay.run import ReplayRun
    from specroute.replay.table import ReplaySummary
    from specroute.upstreams.simulated.latency import LatencyModel


@dataclass(frozen=True, slots=True)
class World:
    """What is the same under every policy.

    Attributes:
        rows: with both answers and both grades. ``left_out``: further rows of the pair.
        deadline_s: of every request; ``None``: as configured.
        seed: of the latency model's draws, and of resampling.
    """

    rows: Sequence[Outcome]
    left_out: int
    pair: str
    latency: LatencyModel
    deadline_s: float | None
    seed: int


class Progress(Protocol):
    """Told how far a comparison is."""

    def started(self, policy: str, total: int) -> None:
        """``total`` rows are about to be played under ``policy``."""
        ...

    def advanced(self, policy: str) -> None:
        """One more of them was; raises ``Stopped`` to end the comparison."""
        ...


@dataclass(slots=True)
class Comparison:
    """Policies on the same rows; ``runs`` fills while it runs, and holds only runs with rows.

    Attributes:
        configured: names of the policies that are not baselines.
    """

    world: World
    policies: Sequence[NamedPolicy]
    configured: tuple[str, ...]
    runs: dict[str, ReplayRun] = field(default_factory=dict)

    @classmethod
    def of(cls, configs: Mapping[str, Settings], names: Sequence[str], world: World) -> Comparison:
        """Returns the comparison of configurations with the baselines ``names``, which the first of them gives.

        Always-large is played whatever is asked for, since all others are compared with it.

        Args:
            configs: name of the policy -> settings, at least one.
            names: baselines; ``configured`` stands for all of ``configs``; empty: all that make sense.
            world: what is the same for all.

        Raises:
            ReplayError: a configuration cannot be replayed, a name is unknown or taken, or there is no row.
            CertificateError: a certificate cannot be read.
        """
        taken = [name for name in configs if name in BASELINES]
        if taken:
            raise ReplayError(f"--config {taken[0]}: that is the name of a baseline; rename the file")
        if not world.rows:
            raise ReplayError("there is no row to replay")
        for settings in configs.values():
            check_settings(settings)
        asked = [name for name in names if name != CONFIGURED]
        wanted = [*asked, ALWAYS_LARGE] if names else []
        first = next(iter(configs.values()))
        delay_s = mini_p95_s(world.rows, pair=world.pair, latency=world.latency, seed=world.seed)
        plainer = baselines(first, wanted, hedge_delay_s=delay_s)
        own = tuple(NamedPolicy(name, settings) for name, settings in configs.items())
        return cls(world, (*own, *plainer), tuple(configs))

    @property
    def is_whole(self) -> bool:
        """Whether every row was played under every policy."""
        return len(self.runs) == len(self.policies) and all(run.is_whole for run in self.runs.values())

    def run(self, progress: Progress) -> None:
        """Plays all policies, always-large first; ends early, with what it has, when ``progress`` says so.

        Raises:
            ReplayError: a model, a certificate or a validator cannot be used.
        """
        scores = Scores(self.world.pair)
        # Without always-large nothing can be compared: what is cut short has it first.
        for policy in sorted(self.policies, key=lambda policy: policy.name != ALWAYS_LARGE):
            progress.started(policy.name, len(self.world.rows))
            run = self._play(policy, scores, progress)
            if run.played:
                self.runs[policy.name] = run
            if not run.is_whole:
                return

    def summaries(self) -> dict[str, ReplaySummary]:
        """Returns what was played so far, by policy; one that was cut short is compared on the rows that it has."""
        baseline = self.runs.get(ALWAYS_LARGE)
        return {
            policy.name: summarise(self.runs[policy.name], baseline, self.world.seed)
            for policy in self.policies
            if policy.name in self.runs and (baseline is None or _covers(baseline, self.runs[policy.name]))
        }

    def _play(self, policy: NamedPolicy, scores: Scores, progress: Progress) -> ReplayRun:
        world = self.world
        try:
            return replay(
                policy.settings,
                world.rows,
                pair=world.pair,
                latency=world.latency,
                seed=world.seed,
                deadline_s=world.deadline_s,
                advance=lambda: progress.advanced(policy.name),
                scores=scores,
            )
        except SettingRefused as error:
            config = policy.name if policy.name in self.configured else self.configured[0]
            raise ReplayError(f"config {config!r}: {path_text(error.key)}: {error}") from error


def _covers(baseline: ReplayRun, run: ReplayRun) -> bool:
    return len(baseline.played) >= len(run.played)
