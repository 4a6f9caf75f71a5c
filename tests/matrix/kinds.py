"""The kinds of clients and of servers that the matrix is made of: an era and a transport each."""

CLIENTS = ("legacy-http", "legacy-sse", "modern-http")
BACKS = ("legacy-stdio", "legacy-sse", "legacy-http", "modern-stdio", "modern-http")
