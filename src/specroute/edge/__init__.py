"""SERVE. Everything that knows gRPC: messages, errors, health, reflection, drain."""
