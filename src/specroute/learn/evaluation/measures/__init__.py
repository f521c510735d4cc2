"""Figures with bootstrap intervals: of probabilities, of curves over thresholds, of policies, of calibration."""
