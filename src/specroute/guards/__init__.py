"""PROTECT. Small state machines; time is an argument; a permit is settled exactly once."""
