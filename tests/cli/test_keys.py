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


def test_what_a_key_sees_and_how_often_it_calls_are_said_in_words(
    interlock: Interlock, contract: Contract
) -> None:
    limits = ["--allow", "github:get_*", "--allow", "db-*", "--allow", "github:search"]

    interlock("keys", "create", "ci", *limits, "--rate", "10/second", "--burst", "3")

    (body,) = contract.bodies("POST", "/keys")
    assert body["access"] == {"github": ["get_*", "search"], "db-*": ["*"]}
    assert body["rate_limit"] == {"calls": 10, "per": "second", "burst": 3}


@pytest.mark.parametrize("rate", ["10", "0/minute", "10/hour", "x/second"])
def test_a_rate_that_is_none_is_refused(
    rate: str, interlock: Interlock, contract: Contract
) -> None:
    ended = interlock("keys", "create", "ci", "--rate", rate)

    assert ended.status == 2
    assert "such as 600/minute" in ended.err
    assert contract.asked == []


@pytest.mark.parametrize(
    ("options", "body"),
    [
        (["--allow", "a:x"], {"access": {"a": ["x"]}}),
        (["--allow-all", "--no-rate"], {"access": None, "rate_limit": None}),
        (["--rate", "60/minute"], {"rate_limit": {"calls": 60, "per": "minute"}}),
        (["--name", "build"], {"name": "build"}),
    ],
)
def test_only_what_is_named_is_changed(
    interlock: Interlock, contract: Contract, options: list[str], body: dict[str, object]
) -> None:
    ended = interlock("keys", "change", "k1", *options)

    assert ended.status == 0
    assert contract.bodies("PATCH", "/keys/k1") == [body]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--allow", "a", "--allow-all"],
        ["--rate", "60/minute", "--no-rate"],
        ["--burst", "5"],
    ],
)
def test_a_change_that_says_nothing_or_two_things_is_refused(
    interlock: Interlock, contract: Contract, options: list[str]
) -> None:
    assert interlock("keys", "change", "k1", *options).status == 2
    assert contract.asked == []


def test_keys_are_listed_with_what_they_see(interlock: Interlock, contract: Contract) -> None:
    grants = {"a": ["x", "y"], "b": []}
    contract.keys = [
        {"id": "k1", "access": None, "rate_limit": None},
        {"id": "k2", "access": grants, "rate_limit": {"calls": 5, "per": "second", "burst": 5}},
        {"id": "k3", "access": {}},
    ]

    ended = interlock("keys", "list")

    ends = [line.split()[5:] for line in ended.out.splitlines()[1:]]
    assert [[each for each in end if each != "-"] for end in ends] == [
        ["all"],
        ["a:x", "a:y", "b:", "5/second"],
        ["nothing"],
    ]
