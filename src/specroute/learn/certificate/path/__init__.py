"""The path of policies that is tested: fixed on the tuning rows, then walked along."""
