"""Names under which many servers' tools, prompts and resources stand side by side.

A name depends on its server and itself alone, so it stays the same whatever else is registered.
"""

import hashlib
import re

MAX_NAME = 64
SEPARATOR = "__"
URI_MARK = "#~"

_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]")
_LOOKS_DIGESTED = re.compile(r"_[0-9a-f]{8}$")


def slug(server: str) -> str:
    """Return the server's name as a prefix: legal characters, and readable without doubt."""
    legal = _ILLEGAL.sub("_", server)
    doubtful = SEPARATOR in legal or legal.endswith("_") or bool(_LOOKS_DIGESTED.search(legal))
    if legal == server and not doubtful and len(legal) <= MAX_NAME // 2:
        return legal
    short = re.sub(r"_+", "_", legal[: MAX_NAME // 2 - 9]).strip("_") or "server"
    return f"{short}_{_digest(server)}"


def prefixed(server: str, name: str) -> str:
    """Return `server__name`, at most 64 legal characters, unlike that of any other pair.

    A name that had to be cut or changed ends in a digest of the pair; a name that only looks so
    gets one too, and so the two kinds never meet.
    """
    full = f"{slug(server)}{SEPARATOR}{name}"
    legal = _ILLEGAL.sub("_", full)
    if legal == full and len(full) <= MAX_NAME and not _LOOKS_DIGESTED.search(full):
        return full
    digest = _digest(f"{server}\0{name}")
    return f"{legal[: MAX_NAME - 9]}_{digest}"


def is_legal(name: str) -> bool:
    """Tell whether every client accepts `name` as a tool's name."""
    return 0 < len(name) <= MAX_NAME and not _ILLEGAL.search(name)


def marked_uri(server: str, uri: str) -> str:
    """Return `uri` with a mark of its server, for a URI that an earlier server claims already.

    The mark is a fragment: the scheme, which clients act on (`ui:`, `file:`), stays as it was.
    """
    return f"{uri}{URI_MARK}{slug(server)}"


def split_mark(uri: str) -> tuple[str, str | None]:
    """Return a URI without its mark, and the slug that the mark named."""
    plain, mark, owner = uri.rpartition(URI_MARK)
    return (plain, owner) if mark else (uri, None)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
