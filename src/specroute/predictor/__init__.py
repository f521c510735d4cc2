"""SCORE. Text to hashed features to ONNX to a calibrated probability."""
