"""A validator that counts what lives in the service's process, so that a test of another process can ask."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

from specroute.core.outcome import Completion, Verdict, VerdictKind

if TYPE_CHECKING:
    from specroute.core.request import RouteRequest


class Census:
    """Never judges. Its reason is ``tasks_N_objects_M``: unfinished tasks, and objects that the collector tracks."""

    name = "census"
    is_contract = False

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        gc.collect()
        return Verdict(
            self.name, VerdictKind.ABSTAIN, f"tasks_{len(asyncio.all_tasks())}_objects_{len(gc.get_objects())}"
        )
