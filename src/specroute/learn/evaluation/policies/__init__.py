"""Policies to compare, all played by the same code: the product's, its parts, and the baselines."""
