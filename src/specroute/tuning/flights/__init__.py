"""What a setting does with recorded rows: who answers, when, at what cost, over several draws of the latency model.

Reading order: ``world`` (how fast, how dear, how right both tiers are) -> ``flight`` (what becomes of each row) ->
``effects`` (figures with intervals) -> ``policies`` (the table's rows) | ``shuffle`` (the control).
"""
