"""VERIFY. The chance that an answer is acceptable, from the prompt, the answer and its log-probabilities."""
