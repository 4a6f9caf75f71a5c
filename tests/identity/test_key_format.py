"""The format of API keys."""

import re
import string
import zlib

import pytest

from interlock.identity import key_format

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def test_a_key_has_the_published_shape() -> None:
    key_id = key_format.new_key_id()

    assert re.fullmatch(rf"ilk_{key_id}_[0-9A-Za-z]{{49}}", key_format.new_secret(key_id))
    assert re.fullmatch(r"[a-z2-7]{8}", key_id)


def test_the_checksum_is_the_crc32_of_all_before_it_in_base62() -> None:
    secret = key_format.new_secret("abcdefgh")
    checksum = sum(BASE62.index(digit) * 62**place for place, digit in enumerate(secret[:-7:-1]))

    assert checksum == zlib.crc32(secret[:-6].encode())


@pytest.mark.parametrize("position", range(4, 62))
def test_every_mistyped_character_is_found(position: int) -> None:
    secret = key_format.new_secret("abcdefgh")
    wrong = "b" if secret[position] == "a" else "a"

    assert key_format.has_valid_checksum(secret)
    assert not key_format.has_valid_checksum(secret[:position] + wrong + secret[position + 1 :])


@pytest.mark.parametrize("damage", [slice(0, -1), slice(1, None), slice(0, 20), slice(0, 0)])
def test_a_part_of_a_key_is_no_key(damage: slice) -> None:
    assert not key_format.has_valid_checksum(key_format.new_secret("abcdefgh")[damage])


def test_a_key_with_a_line_end_is_no_key() -> None:
    assert not key_format.has_valid_checksum(key_format.new_secret("abcdefgh") + "\n")


def test_keys_never_repeat() -> None:
    assert len({key_format.new_secret("abcdefgh") for _ in range(100)}) == 100
