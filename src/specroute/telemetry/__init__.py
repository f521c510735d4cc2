"""TELL. Metrics and structured logs; never a prompt, an answer or a secret."""
