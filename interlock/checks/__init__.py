"""What `interlock doctor` and the console's page About look at: this machine, and the servers."""
