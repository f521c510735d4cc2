"""The search: which settings are tried, what each of them does with the tuning rows, and which is best.

Reading order: ``space`` (candidates) -> ``lock`` (which cuts keep the quality) -> ``table`` (money, time and tail of
every setting) -> ``tail`` (the tail's bound, exactly) -> ``choose`` (the optimum) -> ``spans`` (how sure it
is) | ``front``.
"""
