"""Interlock: build, host, connect and govern MCP servers from one place."""

from importlib.metadata import version

__version__ = version("interlock-mcp")
