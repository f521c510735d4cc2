"""Measures a trained router on recorded outcomes: what it is worth, what it costs, and against what."""
