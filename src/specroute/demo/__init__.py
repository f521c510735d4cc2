"""The demo: simulated or recorded tiers behind the real service, one table of what four policies did.

Reading order: ``load.cases`` | ``load.recorded_cases`` (what is asked, what is right) -> ``policies`` (what the service
is told) -> ``run`` (tiers, service and clients in one process) -> ``figures`` (numbers from results) -> ``report``
(what is told of them) -> ``tables``; ``progress`` stands beside.
"""
