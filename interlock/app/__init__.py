"""The composition root: builds every part from the settings, in order, and takes them down."""

from interlock.app.server import FirstStart, Started, serve

__all__ = ["FirstStart", "Started", "serve"]
