"""Secrets at rest: sealed under a key per workspace, and keyed hashes for what is looked up."""
