"""INFER. What a request seems to be, from how its text begins and ends: task type, risk and risk domain."""
