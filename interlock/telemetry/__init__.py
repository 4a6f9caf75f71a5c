"""What operators see of the running program: its log lines and the ids that tie them together."""
