"""From what was found to a configuration: the user's own file, changed only where it must be, as a reviewable diff."""
