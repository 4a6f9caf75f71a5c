"""The everything server without tasks: no process of a gateway is better for its sessions."""

import everything_legacy
import everything_server
from everything_offer import JSONObject, capabilities


def _without_tasks(era: str, name: str) -> JSONObject:
    return {key: value for key, value in capabilities(era, name).items() if key != "tasks"}


if __name__ == "__main__":
    everything_legacy.capabilities = _without_tasks
    everything_server.main()
