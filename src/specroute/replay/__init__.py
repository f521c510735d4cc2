"""Recorded outcomes through the real planner, validators and executor, in process, on the virtual clock.

Reading order: ``answers`` (what each tier says, and how fast) -> ``upstream`` (says it on the virtual clock) ->
``scores`` (predictor and verifier, each row once, out of fold where the model has learnt from it) -> ``run`` (the
service's own router, row after row) -> ``policies`` (what is compared) -> ``comparison`` (one after the other) ->
``table`` (figures with intervals) -> ``report`` (what is written).
"""
