"""Verbs that learn from recorded outcomes: train, measure, certify, replay, tune."""
