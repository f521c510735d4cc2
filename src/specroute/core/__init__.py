"""The words of the system: frozen dataclasses and protocols; standard library only, no clock, no IO."""
