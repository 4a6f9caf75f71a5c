"""The control API of one project, as the commands call it."""

from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx2

from interlock.cli.failures import NotAGateway, Refused
from interlock.cli.http import CONNECT_TIMEOUT, client_options, named_failures
from interlock.cli.target import Target
from interlock.errors import InterlockError
from interlock.protocol.json import JSONObject, as_list, as_object

TIMEOUT = 30.0  # seconds
LONG_TIMEOUT = 300.0  # seconds, for what starts servers


class Gateway:
    """Calls the control API; a context that closes its connections."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(TIMEOUT, connect=CONNECT_TIMEOUT),
            **client_options(target.url, target.key),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    @property
    def client(self) -> httpx2.Client:
        """The HTTP client, which sends the key with every request."""
        return self._client

    def call(
        self,
        method: str,
        *parts: str,
        body: JSONObject | None = None,
        params: dict[str, str | int] | None = None,
        timeout: float = TIMEOUT,
    ) -> Any:
        """Call a route below the project, named by its `parts`, and return what it answers.

        Raises Refused with the gateway's own words, NotAGateway, Unreachable, BrokenConnection.
        """
        steps = "/".join(quote(part, safe="") for part in (self.target.project, *parts))
        return self.request(
            method, f"/api/v1/projects/{steps}", body=body, params=params, timeout=timeout
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        body: JSONObject | None = None,
        params: dict[str, str | int] | None = None,
        timeout: float = TIMEOUT,
    ) -> Any:
        """Call any path of the gateway; the same answers and errors as `call`."""
        with named_failures(self.target.url):
            response = self._client.request(
                method,
                f"{self.target.url}{path}",
                json=body,
                params=params,
                timeout=httpx2.Timeout(timeout, connect=CONNECT_TIMEOUT),
            )
        return self._read(response)

    def object(self, method: str, *parts: str, **more: Any) -> JSONObject:
        """Call a route that answers an object."""
        answer = as_object(self.call(method, *parts, **more))
        if answer is None:
            raise self._stranger()
        return answer

    def list(self, *parts: str) -> list[JSONObject]:
        """Read a route that answers a list of objects, alone or under the name of the route."""
        answer = self.call("GET", *parts)
        wrapped = as_object(answer)
        items = as_list(wrapped.get(parts[-1]) if wrapped is not None else answer)
        if items is None:
            raise self._stranger()
        return [item for each in items if (item := as_object(each)) is not None]

    def _read(self, response: httpx2.Response) -> Any:
        if response.status_code == HTTPStatus.NO_CONTENT:
            return None
        try:
            body = response.json()
        except ValueError:
            raise self._stranger() from None
        if response.is_success:
            return body
        raise self._refusal(response, body)

    def _refusal(self, response: httpx2.Response, body: Any) -> InterlockError:
        error = as_object((as_object(body) or {}).get("error"))
        if error is None:
            return self._stranger()
        message = str(error.get("message") or f"The gateway answered HTTP {response.status_code}.")
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            message = f"{message} Give a key with --key or INTERLOCK_KEY."
        request_id = error.get("request_id")
        return Refused(
            message,
            str(error.get("reason") or "refused"),
            request_id if isinstance(request_id, str) else None,
        )

    def _stranger(self) -> NotAGateway:
        return NotAGateway(
            f"What answers at {self.target.url} is no Interlock gateway, or another version; "
            "correct --url or INTERLOCK_URL."
        )
