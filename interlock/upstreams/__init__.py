"""Where calls go: the port that every kind of server is reached through, and its transports."""
