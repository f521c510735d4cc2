"""Trains the verifier: measures of recorded answers, boosted trees, a stack with the prompt's own odds, ONNX."""
