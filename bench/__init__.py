"""Speed, measured side by side: this gateway, nginx, and what else stands before MCP servers."""
