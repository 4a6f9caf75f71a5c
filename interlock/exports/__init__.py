"""Files for others, made from what Interlock knows."""
