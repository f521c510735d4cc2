"""How far a prediction may be off: how dense training texts lie, what left-out sources show, the interval."""
