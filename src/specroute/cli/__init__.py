"""The command line: one module per group of verbs; errors are one line that says what to do."""
