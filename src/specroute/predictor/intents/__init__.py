"""INFER. What a request seems to be, from its first and last words: task type, risk and risk domain."""
