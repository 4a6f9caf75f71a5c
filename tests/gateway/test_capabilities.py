"""Clients are told apart by what they can be asked, and by nothing else."""

import pytest

from interlock.gateway.capabilities import signature
from interlock.protocol.json import JSONObject


def test_a_client_that_can_be_asked_nothing_has_no_signature() -> None:
    assert signature({}) == ""


def test_equal_capabilities_have_the_same_signature_in_any_order() -> None:
    one: JSONObject = {"sampling": {"tools": {}, "context": {}}, "roots": {}}
    other: JSONObject = {"roots": {}, "sampling": {"context": {}, "tools": {}}}

    assert signature(one) == signature(other)
    assert len(signature(one)) == 16


@pytest.mark.parametrize(
    "other",
    [
        {"sampling": None},
        {"sampling": {"tools": {}}},
        {"sampling": {}, "roots": {}},
        {"roots": {}},
        {"extensions": {"sampling": {}}},
    ],
)
def test_different_capabilities_have_different_signatures(other: JSONObject) -> None:
    assert signature(other) != signature({"sampling": {}})
