"""HTTP clients for a gateway: set up quickly, following no redirect, naming failures in words."""

import ssl
from collections.abc import Generator
from contextlib import contextmanager
from typing import TypedDict
from urllib.parse import urlsplit

import httpx2

from interlock import __version__
from interlock.cli.target import is_loopback
from interlock.errors import Unavailable

CONNECT_TIMEOUT = 10.0  # seconds


class Unreachable(Unavailable):
    """No gateway answers at the address."""

    reason = "unreachable"


class BrokenConnection(Unavailable):
    """The connection to the gateway broke, or nothing came in time."""

    reason = "broken_connection"


class ClientOptions(TypedDict):
    """What every client of ours is made with."""

    headers: dict[str, str]
    follow_redirects: bool
    trust_env: bool
    verify: ssl.SSLContext | bool


def client_options(url: str, key: str | None) -> ClientOptions:
    """Return the options of a client that talks to `url` alone."""
    parts = urlsplit(url)
    headers = {"user-agent": f"interlock/{__version__}"}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    # Reading the system's certificates takes longer than a call; a context without any serves
    # plain HTTP and would refuse every certificate.
    plain = parts.scheme == "http"
    return {
        "headers": headers,
        "follow_redirects": False,
        # A proxy of the environment cannot reach this machine's own loopback.
        "trust_env": not is_loopback(parts.hostname or ""),
        "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True,
    }


@contextmanager
def named_failures(url: str) -> Generator[None]:
    """Turn a failure of HTTP into an error that says what to do about it."""
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc}"
    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
        raise Unreachable(
            f"No gateway answers at {where}; start one with `interlock up`, "
            "or name another address with --url or INTERLOCK_URL."
        ) from error
    except httpx2.TimeoutException as error:
        raise BrokenConnection(
            f"The gateway at {where} did not answer in time; "
            "look at its log, or allow more time where the command has --timeout."
        ) from error
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        kind = type(error).__name__
        raise BrokenConnection(
            f"The connection to {where} broke ({kind}); check that a gateway runs there, and retry."
        ) from error
