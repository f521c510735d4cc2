"""What an evaluation is told as: JSON, terminal tables, pictures, one HTML page, and rows to recompute it from."""
