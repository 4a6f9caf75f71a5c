"""MCP and JSON-RPC as plain data; nothing here does I/O."""
