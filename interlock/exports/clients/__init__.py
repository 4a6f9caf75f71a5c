"""Configurations that connect other programs to Interlock, ready to be pasted."""

from interlock.exports.clients.catalog import CLIENTS, render
from interlock.exports.clients.format import ClientConfiguration, ClientFormat, Endpoint, Language

__all__ = ["CLIENTS", "ClientConfiguration", "ClientFormat", "Endpoint", "Language", "render"]
