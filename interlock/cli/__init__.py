"""The command line `interlock`: starts the gateway, and drives one that runs."""

from interlock.cli.entry import main

__all__ = ["main"]
