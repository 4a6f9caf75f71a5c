"""What holds for all tests: how they are shared among processes, and the table of the matrix."""

pytest_plugins = ["tests.support.sharing", "tests.matrix.board"]
