"""Servers as the API shows them, and how what it hid comes back."""

from interlock.registry.views import merged_target
from interlock.upstreams.definition import HTTPTarget, StdioTarget


def test_a_hidden_value_that_comes_back_stays_what_it_was() -> None:
    old = StdioTarget("run", ("--token=abc", "x"), {"A": "one", "B": "two"})
    new = StdioTarget("run", ("--token=***", "x"), {"A": "***", "B": "three", "C": "***"})

    merged = merged_target(old, new)

    assert merged == StdioTarget(
        "run", ("--token=abc", "x"), {"A": "one", "B": "three", "C": "***"}
    )


def test_arguments_that_were_changed_are_taken_as_they_are() -> None:
    old = StdioTarget("run", ("--token=abc", "x"))
    new = StdioTarget("run", ("--token=other", "x"))

    assert merged_target(old, new) == new


def test_a_hidden_address_and_header_stay_what_they_were() -> None:
    old = HTTPTarget("http://a.example/?k=abc", {"X-Key": "one"})
    new = HTTPTarget("http://a.example/?k=***", {"X-Key": "***", "X-More": "two"}, legacy_sse=True)

    assert merged_target(old, new) == HTTPTarget(
        "http://a.example/?k=abc", {"X-Key": "one", "X-More": "two"}, legacy_sse=True
    )


def test_hidden_addresses_stay_what_they_were_in_whatever_order_they_come_back() -> None:
    old = HTTPTarget("http://a.example/?k=one", more_urls=("http://b.example/?k=two",))
    new = HTTPTarget(
        "http://b.example/?k=***",
        more_urls=("http://c.example/?k=three", "http://a.example/?k=***"),
    )

    assert merged_target(old, new) == HTTPTarget(
        "http://b.example/?k=two",
        more_urls=("http://c.example/?k=three", "http://a.example/?k=one"),
    )


def test_another_kind_of_target_takes_nothing_from_the_old_one() -> None:
    old = StdioTarget("run", (), {"A": "one"})
    new = HTTPTarget("http://a.example/", {"A": "***"})

    assert merged_target(old, new) == new
