"""DECIDE. Pure functions from a request, the tiers and a prediction to a plan: same inputs, same plan."""
