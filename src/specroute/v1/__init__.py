"""Generated from protos/specroute/v1 by scripts/gen_protos; never edited."""
