"""The demo's workload: what to ask, and how to tell whether the answer is right."""

from specroute.learn.workload.checking import is_correct
from specroute.learn.workload.workload import Task, load_workload, to_request

__all__ = ["Task", "is_correct", "load_workload", "to_request"]
