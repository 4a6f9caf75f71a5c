"""Has the assertions of the client's scenarios say what they found."""

import pytest

pytest.register_assert_rewrite("tests.conformance.upstream_scenarios")
