"""The everything server without tasks: no process of a gateway is better for its sessions."""

import everything_legacy
import everything_modern
import everything_server
from everything_offer import JSONObject, capabilities

TASKS = "io.modelcontextprotocol/tasks"


def _without_tasks(era: str, name: str) -> JSONObject:
    offered = capabilities(era, name)
    extensions = {
        key: value for key, value in offered.get("extensions", {}).items() if key != TASKS
    }
    return {
        **{key: value for key, value in offered.items() if key not in {"tasks", "extensions"}},
        **({"extensions": extensions} if extensions else {}),
    }


if __name__ == "__main__":
    everything_legacy.capabilities = everything_modern.capabilities = _without_tasks
    everything_server.main()
