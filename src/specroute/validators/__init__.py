"""JUDGE. Pure checks of an answer: three-valued verdicts with reasons, and how they combine."""
