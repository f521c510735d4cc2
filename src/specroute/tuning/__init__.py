"""From recorded outcomes and targets to a configuration that keeps them, with the evidence for it."""
