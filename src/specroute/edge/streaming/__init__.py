"""Streams on the wire: what is asked and said, and how it is written to a reader."""
