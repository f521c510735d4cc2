"""Load tests with Locust, and the sweep that shows what hedging is worth.

Reading order: ``rows`` (one call) -> ``figures`` (numbers of calls) -> ``inside`` (what runs in Locust: options, users,
shapes, what is kept) -> ``locustfile`` (the entry); ``tiers`` and ``service`` (processes to load) -> ``sweeping`` and
``sweep`` (many configurations); ``agreement`` (Locust against ``specroute bench``).
"""
