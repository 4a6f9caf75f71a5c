"""The headers of modern requests, with the tool arguments that schemas ask to be mirrored."""

from interlock.protocol.headers import (
    HeaderParam,
    InvalidAnnotation,
    header_params,
    request_headers,
)
from interlock.protocol.json import JSONObject, as_list, as_object
from interlock.protocol.versions import META_VERSION

MAX_TOOLS = 10_000


def modern_version(params: JSONObject) -> str | None:
    """Return the version that a request carries itself; None for one of the legacy era."""
    version = (as_object(params.get("_meta")) or {}).get(META_VERSION)
    return version if isinstance(version, str) else None


class Mirrors:
    """What the lists of tools said so far about mirrored arguments."""

    def __init__(self) -> None:
        self._tools: dict[str, tuple[HeaderParam, ...]] = {}

    def learn(self, answer: JSONObject) -> None:
        """Read the answer to `tools/list`."""
        result = as_object(answer.get("result")) or {}
        for each in as_list(result.get("tools")) or []:
            tool = as_object(each) or {}
            name = tool.get("name")
            if isinstance(name, str) and (name in self._tools or len(self._tools) < MAX_TOOLS):
                self._tools[name] = _params(tool.get("inputSchema"))

    def headers(self, method: str, params: JSONObject) -> list[tuple[str, str]]:
        """Return the headers that a modern request must carry."""
        mirrored: tuple[HeaderParam, ...] = ()
        if method == "tools/call":
            mirrored = self._tools.get(str(params.get("name")), ())
        version = modern_version(params)
        own = [("mcp-protocol-version", version)] if version is not None else []
        return [*own, *request_headers(method, params, mirrored)]


def _params(schema: object) -> tuple[HeaderParam, ...]:
    try:
        return header_params(schema)
    except InvalidAnnotation:
        # The server decides about its own tool; nothing can be mirrored by a broken rule.
        return ()
