"""An OpenAI-compatible HTTP server of simulated tiers: latency, quality and faults by profile, or recorded answers.

Reading order: ``server`` (the story of one request) -> ``wire`` (what is asked) -> ``answers`` | ``recorded`` (what is
answered) -> ``profile`` (how fast, how well) -> ``faults`` -> ``frames`` (an answer as bytes) -> ``replies`` (bytes in
time) -> ``request_log``. It is a server, not an adapter: the service reaches it over a socket like any other upstream.
"""
