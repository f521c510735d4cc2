"""Fixtures of the whole suite: which clock a test runs on."""

import pytest
from trio.testing import MockClock


@pytest.fixture
def anyio_backend() -> str:
    """Real time on asyncio, as in production; for tests with sockets."""
    return "asyncio"


@pytest.fixture
def virtual_clock() -> tuple[str, dict[str, object]]:
    """The same engine on trio's virtual clock: time jumps when every task waits. Use as ``anyio_backend``."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}
