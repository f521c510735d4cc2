"""Where metrics are scraped."""

from __future__ import annotations

import socket
import time
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, Counter

from specroute.telemetry.endpoint import serving_metrics

pytestmark = pytest.mark.integration


def test_a_scrape_sees_the_series_and_the_end_is_prompt() -> None:
    registry = CollectorRegistry()
    Counter("things", "Things.", registry=registry).inc(3)
    with serving_metrics(registry, "127.0.0.1", 0) as port:
        with urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
            text = reply.read().decode()
        began_s = time.monotonic()

    assert time.monotonic() - began_s < 0.3
    assert "things_total 3.0" in text
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"), serving_metrics(CollectorRegistry(), "127.0.0.1", port):
            pass
