"""Verbs that call a running server."""
