"""Load on a running service: what is asked, when it is sent, what came of it, and whether that is good enough.

Reading order: ``cases`` | ``recorded_cases`` (what is asked, what is right) -> ``mix`` (in which order) -> ``arrivals``
(when) -> ``generator`` (sends, open loop) -> ``records`` (what is noted) -> ``figures`` (numbers from records) ->
``slo`` (is it good enough) -> ``report``.
"""
