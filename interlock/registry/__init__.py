"""Which servers exist, and are they well; publishes the routing table."""
