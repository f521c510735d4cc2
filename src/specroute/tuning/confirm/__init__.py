"""Whether the real engine, and the live service under load, do what the search predicts."""
