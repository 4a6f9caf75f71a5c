"""The check of the port: is it free, or who answers on it."""

import socket

import httpx2

from interlock.checks.finding import Code, Finding, error, fine
from interlock.cli.http import client_options
from interlock.protocol.json import as_object, loads

ASK_TIMEOUT = 5.0  # seconds


def check_port(host: str, port: int) -> Finding:
    """Tell whether the port is free, or who answers on it."""
    where = f"{host}:{port}"
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as fault:
        if _is_ours(host, port):
            return fine(Code.PORT, f"An Interlock gateway listens on {where}.")
        return error(
            Code.PORT,
            f"{where} cannot be listened on: {fault.strerror}, and no Interlock answers there.",
            "Stop what holds the port, or choose another with --port or INTERLOCK_PORT.",
        )
    return fine(Code.PORT, f"{where} is free for `interlock up`.")


def _is_ours(host: str, port: int) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - It is compared.
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    try:
        with httpx2.Client(timeout=ASK_TIMEOUT, **client_options(url, None)) as client:
            answer = as_object(loads(client.get(f"{url}/healthz").content)) or {}
    except (httpx2.HTTPError, ValueError):
        return False
    return "version" in answer
