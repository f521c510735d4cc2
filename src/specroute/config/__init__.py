"""The configuration: one YAML file, validated whole and frozen; an unknown key is an error that names the nearest."""

from specroute.config.durations import format_duration, parse_duration_s
from specroute.config.errors import ConfigError, Problem
from specroute.config.load import load_settings, parse_settings
from specroute.config.schema.settings import Settings, policy_fingerprint
from specroute.config.schema.tuned import stale
from specroute.config.schema.values.addresses import Address

__all__ = [
    "Address",
    "ConfigError",
    "Problem",
    "Settings",
    "format_duration",
    "load_settings",
    "parse_duration_s",
    "parse_settings",
    "policy_fingerprint",
    "stale",
]
