"""What a tuning run is told as: JSON, terminal tables, a picture, one HTML page, and the files of a folder."""
