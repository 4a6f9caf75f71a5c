"""What clients can be asked, as a short signature: servers may offer more to those that can."""

import hashlib
import json
from typing import Protocol

from interlock.protocol.json import JSONObject


def signature(capabilities: JSONObject) -> str:
    """Return the same short text for equal capabilities; empty where there are none."""
    if not capabilities:
        return ""
    text = json.dumps(capabilities, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Acquaintance(Protocol):
    """Learns of clients; the registry, which then asks servers what they offer to such a one."""

    def meet(self, project: str, mark: str, capabilities: JSONObject) -> None:
        """Take note of a client of a project by its capabilities and their signature."""
        ...
