"""The versions are those that the specification names, each of exactly one era."""

from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    HEADER_MISMATCH,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    PROTOCOL_VERSION_META_KEY,
    UNSUPPORTED_PROTOCOL_VERSION,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from interlock.protocol import versions


def test_the_versions_of_both_eras_are_those_of_the_official_sdk_newest_first() -> None:
    assert sorted(HANDSHAKE_PROTOCOL_VERSIONS, reverse=True) == list(versions.LEGACY_VERSIONS)
    assert sorted(MODERN_PROTOCOL_VERSIONS, reverse=True) == list(versions.MODERN_VERSIONS)
    assert (versions.LATEST_LEGACY, versions.LATEST_MODERN) == ("2025-11-25", "2026-07-28")


def test_the_keys_and_codes_of_the_modern_era_are_those_of_the_official_sdk() -> None:
    keys = (versions.META_VERSION, versions.META_CLIENT_INFO, versions.META_CAPABILITIES)

    assert keys == (PROTOCOL_VERSION_META_KEY, CLIENT_INFO_META_KEY, CLIENT_CAPABILITIES_META_KEY)
    assert {
        HEADER_MISMATCH,
        MISSING_REQUIRED_CLIENT_CAPABILITY,
        UNSUPPORTED_PROTOCOL_VERSION,
    } == versions.MODERN_ERRORS
