"""One request as the everything server's tools see it, the same in both eras."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from everything_offer import JSONObject
from everything_world import Fault, Send, World

MISSING_CAPABILITY = -32021
LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
NEEDS = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}


class Call:
    """A request under way; the eras say how it asks its client."""

    def __init__(
        self,
        world: World,
        message: JSONObject,
        send: Send,
        capabilities: JSONObject,
        headers: Mapping[str, str],
        more: Mapping[str, list[JSONObject]] | None = None,
    ) -> None:
        self.world = world
        self.server = world.name
        self.method: str = message["method"]
        self.params: JSONObject = message.get("params") or {}
        self.meta: JSONObject = self.params.get("_meta") or {}
        self.arguments: JSONObject = self.params.get("arguments") or {}
        self.capabilities = capabilities
        self.headers = headers
        self.more = defaultdict(list, more or {})
        self._send = send

    def listed(self, kind: str) -> list[JSONObject]:
        """Return the items of a list, those that this client alone is offered at its end."""
        return [*self.world.lists[kind], *self.more[kind]]

    @property
    def is_live(self) -> bool:
        """Whether this part of the call is done for the first time."""
        return True

    def notify(self, method: str, **params: Any) -> None:
        """Tell the client of something while the call goes on."""
        if self.is_live:
            self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def progress(self, step: int, of: int) -> None:
        """Tell of progress, if the client wants to hear of it."""
        token = self.meta.get("progressToken")
        if token is not None:
            self.notify(
                "notifications/progress",
                progressToken=token,
                progress=step,
                total=of,
                message=f"{self.server}: step {step}",
            )

    def log(self, level: str, data: object) -> None:
        """Send a log message, if the client wants those of this level."""
        wanted = self.log_level()
        if wanted is not None and LEVELS.index(level) >= LEVELS.index(wanted):
            self.notify("notifications/message", level=level, logger=self.server, data=data)

    def log_level(self) -> str | None:
        """Return the least level that the client wants; None for no messages at all."""
        raise NotImplementedError

    async def ask(self, method: str, params: JSONObject) -> JSONObject:
        """Let the client answer a question."""
        need = NEEDS[method]
        modes = self.capabilities.get(need)
        mode = params.get("mode", "form")
        if modes is None or (need == "elicitation" and mode == "url" and "url" not in modes):
            wanted = {"requiredCapabilities": {need: {mode: {}} if need == "elicitation" else {}}}
            raise Fault(MISSING_CAPABILITY, f"The client cannot answer {method}.", wanted)
        return await self._ask(method, params)

    async def _ask(self, method: str, params: JSONObject) -> JSONObject:
        raise NotImplementedError

    def tell_all(self, method: str, **params: Any) -> None:
        """Send a notification that only the legacy era knows."""
        raise Fault(MISSING_CAPABILITY, f"{method} is not of this era.")

    def tell(self, method: str, **params: Any) -> None:
        """Send a notification outside of the call where the era can, else within it."""
        self.notify(method, **params)

    def switch_on(self, kind: str, item: JSONObject) -> None:
        """Offer an item to this client alone, and say so."""
        raise Fault(MISSING_CAPABILITY, f"There is no session to offer {kind} in.")

    def end_session(self) -> None:
        """End the session that this call came in, as if its server had died."""
        raise Fault(MISSING_CAPABILITY, "There is no session to end.")
