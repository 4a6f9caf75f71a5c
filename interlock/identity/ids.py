"""Short random ids: letters and digits that no one confuses, safe in URLs and file names."""

import secrets

ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_LENGTH = 12  # 60 bits


def new_id(length: int = _LENGTH) -> str:
    """Return a random id of `length` base32 characters in small letters."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
