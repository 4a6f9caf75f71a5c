"""`interlock keys`."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import Interlock
from tests.cli.contract import SECRET, Contract


def test_a_new_key_is_the_only_line_on_stdout(interlock: Interlock, contract: Contract) -> None:
    ended = interlock("keys", "create", "ci")

    assert (ended.status, ended.out) == (0, f"{SECRET}\n")
    assert contract.bodies("POST", "/keys") == [{"name": "ci", "role": "developer"}]


def test_a_lifetime_becomes_a_moment(interlock: Interlock, contract: Contract) -> None:
    before = datetime.now(UTC)

    interlock("keys", "create", "ci", "--role", "reporter", "--expires-in", "30d")

    (body,) = contract.bodies("POST", "/keys")
    lifetime = datetime.fromisoformat(body["expires_at"]) - before
    assert body["role"] == "reporter"
    assert timedelta(days=30) <= lifetime < timedelta(days=30, hours=1)


@pytest.mark.parametrize("text", ["30", "0d", "d", "-1d", "30y"])
def test_a_lifetime_that_is_none_is_refused(
    text: str, interlock: Interlock, contract: Contract
) -> None:
    ended = interlock("keys", "create", "ci", "--expires-in", text)

    assert ended.status == 2
    assert "such as 30d" in ended.err
    assert contract.asked == []


def test_an_unknown_role_is_wrong_usage(interlock: Interlock, contract: Contract) -> None:
    assert interlock("keys", "create", "ci", "--role", "king").status == 2


def test_keys_are_listed_with_their_state(interlock: Interlock, contract: Contract) -> None:
    past, future = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
    contract.keys = [
        {"id": "k1", "revoked_at": past},
        {"id": "k2", "revoked_at": None, "expires_at": past},
        {"id": "k3", "revoked_at": None, "expires_at": future},
    ]

    ended = interlock("keys", "list")

    states = [(line.split()[0], line.split()[4]) for line in ended.out.splitlines()[1:]]
    assert states == [("k1", "revoked"), ("k2", "expired"), ("k3", "ok")]


def test_a_key_is_revoked(interlock: Interlock, contract: Contract) -> None:
    contract.keys = [{"id": "k1"}]

    ended = interlock("keys", "revoke", "k1", "--json")

    assert (ended.status, ended.document, contract.keys) == (0, {"revoked": "k1"}, [])
