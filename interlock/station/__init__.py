"""Hosted stdio servers: their processes, their output, their restarts, and REST sessions on them."""
