"""What runs inside a Locust process: options, what is sent and when, users, load shapes, and what is kept of it."""
