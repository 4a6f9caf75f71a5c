"""Where a caller's credential stands in a request: headers for keys, one cookie for people."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from interlock.errors import Unauthenticated

_BEARER = "bearer"


def api_key_in(authorization: Iterable[str], x_api_key: Iterable[str]) -> str | None:
    """Return the key in all `Authorization` and `X-API-Key` headers of a request, if any.

    Raises Unauthenticated where they disagree, or where another scheme than Bearer is used.
    """
    found = {_bearer(value) for value in authorization} | {value.strip() for value in x_api_key}
    if len(found) > 1:
        raise Unauthenticated("The request carries two different API keys; send only one.")
    return found.pop() if found else None


class SessionCookie:
    """The cookie that carries a login's token, for this host and our own pages only.

    Over HTTPS its name tells browsers to refuse it from any other host or an unsafe connection
    (`__Host-`, RFC 6265bis); over plain HTTP browsers would refuse that name.
    """

    def __init__(self, *, secure: bool, lifetime: timedelta) -> None:
        self.name = "__Host-interlock" if secure else "interlock"
        self._secure = secure
        self._seconds = int(lifetime.total_seconds())

    def read(self, request: Request) -> str | None:
        """Return the token of a request, if any."""
        return request.cookies.get(self.name) or None

    def write(self, response: Response, token: str) -> None:
        """Give the browser a token."""
        response.set_cookie(
            self.name,
            token,
            max_age=self._seconds,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )

    def clear(self, response: Response) -> None:
        """Take the token from the browser."""
        response.delete_cookie(
            self.name, path="/", secure=self._secure, httponly=True, samesite="strict"
        )


def _bearer(value: str) -> str:
    scheme, _, token = value.strip().partition(" ")
    if scheme.lower() != _BEARER or not token.strip():
        raise Unauthenticated("The Authorization header must read: Bearer, a space, the API key.")
    return token.strip()
