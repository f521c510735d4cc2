"""What the file may say: one frozen model per section, and what sections say about each other."""
