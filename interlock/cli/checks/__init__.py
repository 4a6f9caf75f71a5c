"""The checks of `interlock doctor`: of this machine, of the gateway, and of its servers."""
