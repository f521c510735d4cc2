"""ACT. The only asynchronous logic, on anyio alone: it interprets plans and ends every attempt in a value."""
