"""FastMCP's proxy before one server, as its documentation shows it: `fastmcp_proxy.py URL PORT`.

It runs in an environment of its own, which the product does not share.
"""

import sys

from fastmcp.server import create_proxy  # pyright: ignore[reportMissingImports]

if __name__ == "__main__":
    url, port = sys.argv[1:]
    proxy = create_proxy(url, name="peer")
    proxy.run(
        transport="http", host="127.0.0.1", port=int(port), show_banner=False, log_level="error"
    )
