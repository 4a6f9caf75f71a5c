"""The endpoints that MCP clients call, and the path of a call from there to its server."""
