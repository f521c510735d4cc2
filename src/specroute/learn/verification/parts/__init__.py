"""The parts of a verifier: trees, stack and centres, and the graph that they become."""
