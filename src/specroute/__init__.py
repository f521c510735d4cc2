"""specroute: speculative parallel routing of LLM calls over gRPC.

Reading order of one request: ``edge`` -> ``engine.router`` -> ``policy`` -> ``engine.executor`` ->
``engine.leg.attempt`` -> ``upstreams`` -> ``validators``. See ``docs/architecture.md``.
"""
