"""One leg of a plan: its attempts, what they said, and the watch over what they are saying."""
