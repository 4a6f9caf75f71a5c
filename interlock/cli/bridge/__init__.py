"""The bridge from a client's standard streams to a Streamable HTTP endpoint, in both eras."""
