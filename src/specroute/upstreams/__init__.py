"""CALL. Adapters of endpoints; vendor errors become ``UpstreamError`` here and nowhere else."""
