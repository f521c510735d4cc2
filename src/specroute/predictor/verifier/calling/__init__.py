"""Tool calls: the functions that a prompt offers, the calls that an answer makes, and whether the two fit."""
