"""Confirms what the search found: by the real engine on a virtual clock, then live under load."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import anyio
import numpy as np

from specroute.learn.dataset import Outcomes
from specroute.load.recorded_cases import recorded_workload
from specroute.predictor.certificate import CERTIFICATE_FILE, write_certificate
from specroute.replay.run import replay
from specroute.replay.scores import Scores
from specroute.tuning.confirm.compared import Call, Confirmation, Confirmed
from specroute.tuning.confirm.finalists import finalists
from specroute.tuning.confirm.live import LiveOptions, Stage, run_live

if TYPE_CHECKING:
    from collections.abc import Callable

    from specroute.learn.dataset import Outcome
    from specroute.learn.scoring import ScoredRows
    from specroute.replay.run import PlayedRow
    from specroute.tuning.confirm.finalists import Finalist
    from specroute.tuning.findings import Found
    from specroute.tuning.recommended.template import Shape
    from specroute.upstreams.simulated.latency import LatencyModel


MOST_LATE_RATIO = 0.02
"""A request sent later than this share of the median latency is worth a word."""


@dataclass(slots=True)
class Confirming:
    """A confirmation as it goes on: ``confirmation`` tells what there is, also when it was stopped half-way.

    Attributes:
        rows: held-out rows with both answers and both grades.
        live: how the live part is run; ``None``: it is left out.
    """

    found: Found
    rows: ScoredRows
    shape: Shape
    latency: LatencyModel
    seed: int
    live: LiveOptions | None
    _scores: Scores = field(init=False)
    _replayed: dict[str, list[Call]] = field(default_factory=dict)
    _live: dict[str, list[Call]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._scores = Scores(self.found.pair)

    def run(self, report: Callable[[str], None], advance: Callable[[int], None]) -> None:
        """Plays all finalists.

        Args:
            report: told what is done next.
            advance: told how many more rows were played or requests sent.

        Raises:
            ConfigError, SettingRefused: a service cannot be made of what was found.
            OSError: no loopback socket can be had.
        """
        with TemporaryDirectory() as folder:
            certificate: Path | None = None
            if self.found.certified is not None:
                certificate = Path(folder) / CERTIFICATE_FILE
                write_certificate(certificate, self.found.certified.certificate)
            for finalist in self.finalists:
                report(f"replaying {finalist.name}")
                self._replay(finalist, certificate, advance)
            if self.live is None:
                return
            report("live under load")
            workload = recorded_workload(Outcomes(self._sent(), (), 0), self.found.pair)
            stage = Stage(self.shape, workload.cases, workload.book, self.latency, self.seed, certificate)
            self._live.update({finalist.name: [] for finalist in self.finalists})
            anyio.run(run_live, self.finalists, stage, self.live, self._live, advance)

    @property
    def finalists(self) -> tuple[Finalist, ...]:
        """Who is confirmed."""
        return finalists(self.found)

    @property
    def steps(self) -> int:
        """How many rows are played and requests sent in all."""
        each = len(self.rows.rows) + (0 if self.live is None else len(self._sent()))
        return each * len(self.finalists)

    def confirmation(self) -> Confirmation:
        """Returns what was confirmed so far."""
        done = tuple(
            Confirmed.of(
                finalist.name,
                finalist.predicted,
                self._replayed[finalist.name],
                self._live.get(finalist.name, []),
            )
            for finalist in self.finalists
            if finalist.name in self._replayed
        )
        return Confirmation(done, self._how(), tuple(self._notes()))

    def _replay(self, finalist: Finalist, certificate: Path | None, advance: Callable[[int], None]) -> None:
        run = replay(
            finalist.settings(self.shape, certificate),
            self.rows.rows,
            pair=self.found.pair,
            latency=self.latency,
            seed=self.seed,
            deadline_s=None,
            advance=lambda: advance(1),
            scores=self._scores,
        )
        self._replayed[finalist.name] = [_call(row) for row in run.played]

    def _sent(self) -> tuple[Outcome, ...]:
        """Returns the rows that are sent live: each prompt once, those first that the model has not learnt from."""
        if self.live is None:
            return ()
        order = np.random.default_rng(self.seed).permutation(len(self.rows.rows))
        order = order[np.argsort(self.rows.out_of_fold[order], kind="stable")]
        once = {self.rows.rows[at].prompt: self.rows.rows[at] for at in reversed(order.tolist())}
        first = list(once.values())[::-1]
        return tuple(first[: self.live.requests])

    def _how(self) -> str:
        engine = f"{len(self.rows.rows):,} rows through the service's own engine on a virtual clock"
        if self.live is None:
            return f"{engine}; not run live"
        own = self.live
        return (
            f"{engine}; {len(self._sent()):,} of them sent to running services over sockets, open loop, Poisson, "
            f"{own.rate_per_s:g} per second, the tiers' delays divided by {own.speed:g} and times multiplied back"
        )

    def _notes(self) -> list[str]:
        return [*self._learnt_note(), *self._busy_note()]

    def _busy_note(self) -> list[str]:
        """Tells where the load generator could not keep time: the services, in the same process, could not either."""
        late = {name: _late_ratio(calls) for name, calls in self._live.items() if calls}
        busy = [name for name, ratio in late.items() if ratio > MOST_LATE_RATIO]
        if self.live is None or not busy:
            return []
        note = (
            f"This machine was busy while {', '.join(busy)} ran live: requests were sent late, and the service's own "
            f"delays are multiplied by {self.live.speed:g}, too; a lower --live-speed or --live-rate shows less of it."
        )
        return [note]

    def _learnt_note(self) -> list[str]:
        sent = {row.prompt for row in self._sent()}
        learnt = sum(
            bool(is_learnt) and row.prompt in sent
            for row, is_learnt in zip(self.rows.rows, self.rows.out_of_fold, strict=True)
        )
        if not learnt or not any(self._live.values()):
            return []
        note = (
            f"The model has learnt from {learnt:,} of the {len(sent):,} rows sent live and scores them itself there: "
            "plans and quality differ from what models that have not seen them predict."
        )
        return [note]


def _late_ratio(calls: list[Call]) -> float:
    """Returns by how much one request in ten was sent late, as a share of the median latency."""
    return float(np.quantile([call.late_s for call in calls], 0.9) / np.median([call.latency_s for call in calls]))


def _call(row: PlayedRow) -> Call:
    return Call(
        prompt=row.row.prompt,
        plan=f"{row.plan} {row.first_tier}",
        tier=row.delivered_tier,
        is_right=row.correct,
        cost_usd=row.cost_usd,
        latency_s=row.latency_s,
    )
