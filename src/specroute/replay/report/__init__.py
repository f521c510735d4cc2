"""What a replay writes: rows, one JSON document, one HTML page."""
