"""The certificate: cuts that provably cost little quality, by fixing a path of policies and testing along it."""
