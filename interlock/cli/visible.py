"""Text of others made safe for a terminal."""

import re

# What servers send must not steer the terminal: escapes and other controls become visible.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def visible(text: str) -> str:
    """Return text whose control characters are written out instead of obeyed."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
