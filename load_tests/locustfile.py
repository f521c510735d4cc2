"""Locust's entry: ``locust -f load_tests/locustfile.py``. README.md beside it says how, and what to beware of."""

# gRPC is made to wait as gevent does before anything can open a channel.
import grpc.experimental.gevent

grpc.experimental.gevent.init_gevent()

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from locust import events

from load_tests.inside.listeners import listen
from load_tests.inside.users import RouteStreamUser as RouteStreamUser
from load_tests.inside.users import RouteUser as RouteUser

listen(events)
