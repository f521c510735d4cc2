"""Measures a trained model: out of fold, on sources left out, and on a test file beside what needs no model."""
