"""Simulated tiers over real sockets: requests read, answers written at a pace, faults, a log of what happened."""
