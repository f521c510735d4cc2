"""IMPROVE. Offline: training, evaluation and reports, through the same policy and engine."""
