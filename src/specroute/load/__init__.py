"""Load on a running service: what is asked, when it is sent, what came of it, and whether that is good enough.

Reading order: ``cases`` | ``recorded_cases`` (what is asked, what is right) -> ``arrivals`` (when) -> ``generator``
(sends, open loop) -> ``figures`` (numbers from results) -> ``slo`` (is it good enough) -> ``report``.
"""
