"""Recorded outcomes through the real planner, validators and executor, in process, on the virtual clock."""
