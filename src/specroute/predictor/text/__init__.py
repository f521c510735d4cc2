"""READ. From a text to hashed words, their pairs, and measures of its surface."""
