"""What makes a run a stream: when its winner is fixed, and what the caller is shown."""
