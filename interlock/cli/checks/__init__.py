"""The checks that only `interlock doctor` makes: from outside, of the port and the gateway."""
