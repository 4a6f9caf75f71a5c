"""The format of API keys: `ilk_<id>_<secret><checksum>`.

The id is 8 base32 characters and may be shown; the secret is 256 bits in 43 base62 characters;
the checksum, 6 base62 characters of the CRC-32 of all before it, tells a typing error from an
unknown key and lets a secret scanner be sure of a find.
"""

import re
import secrets
import string
import zlib

from interlock.identity.ids import new_id

PREFIX = "ilk_"
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_BITS = 256
_SECRET_LENGTH = 43
_CHECKSUM_LENGTH = 6
_ID_LENGTH = 8
_SHAPE = re.compile(
    rf"({PREFIX}[a-z2-7]{{{_ID_LENGTH}}}_[0-9A-Za-z]{{{_SECRET_LENGTH}}})"
    rf"([0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})"
)


def new_key_id() -> str:
    """Return a random id for a key."""
    return new_id(_ID_LENGTH)


def new_secret(key_id: str) -> str:
    """Return a whole new secret for the key with this id."""
    body = f"{shown_prefix(key_id)}_{_base62(secrets.randbits(_SECRET_BITS), _SECRET_LENGTH)}"
    return body + _checksum(body)


def shown_prefix(key_id: str) -> str:
    """Return the beginning of a key that may be shown."""
    return PREFIX + key_id


def looks_like_key(secret: str) -> bool:
    """Tell whether a text was at least meant to be a key of ours."""
    return secret.startswith(PREFIX)


def has_valid_checksum(secret: str) -> bool:
    """Tell whether a text is a whole key, typed without an error."""
    found = _SHAPE.fullmatch(secret)
    return found is not None and _checksum(found[1]) == found[2]


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits: list[str] = []
    while number:
        number, digit = divmod(number, len(_BASE62))
        digits.append(_BASE62[digit])
    return "".join(reversed(digits)).rjust(length, _BASE62[0])
