"""The only wiring: from settings to a running service. Every object is made here; this package is the map of them."""

from specroute.app.refused import SettingRefused
from specroute.app.routing import build_router
from specroute.app.seams import Seams, build_predictor
from specroute.app.service import Addresses, RunningApp, running

__all__ = ["Addresses", "RunningApp", "Seams", "SettingRefused", "build_predictor", "build_router", "running"]
