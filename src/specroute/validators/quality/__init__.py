"""Checks of quality that a configuration may add: an answer that one rejects does not win, but may be delivered."""
