"""The console at `/`: the built page and its assets, served from memory under a strict policy."""

import hashlib
import mimetypes
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

import interlock

# In a wheel the console lies within the package, in a checkout where it was built.
_PACKAGE: Final = Path(interlock.__file__).parent
PLACES: Final = (_PACKAGE / "console", _PACKAGE.parent / "console" / "dist")

NONCE_MARK: Final = "__NONCE__"
_PAGE: Final = "index.html"
# The first segments of the console's own addresses; every other path is the API's or a client's.
_SECTIONS: Final = frozenset({"", "login", "welcome", "p", "settings", "about"})
_LONE_PAGES: Final = frozenset({"/projects"})
_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
_TYPES: Final = {".webmanifest": "application/manifest+json", ".js": "text/javascript"}
# Pages of servers are shown within this one: they have no origin, and reach nothing.
_FRAME_POLICY: Final = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; media-src data: blob:; font-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
_SAFETY: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the console, plain and as it was compressed when it was built."""

    media_type: str
    etag: str
    is_immutable: bool
    plain: bytes
    compressed: dict[str, bytes]


class Console:
    """The console as an ASGI application, for the paths that `serves` knows."""

    def __init__(self, page: str, assets: dict[str, Asset]) -> None:
        self._page = page
        self._assets = assets

    def serves(self, scope: Scope) -> bool:
        """Tell whether a request is for the console."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            return False
        path: str = scope["path"]
        return path in self._assets or _is_page(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a file, or the page for any other address of the console."""
        asset = self._assets.get(scope["path"])
        answer = self._shown() if asset is None else _file(asset, Headers(scope=scope))
        await answer(scope, receive, send)

    def _shown(self) -> Response:
        nonce = secrets.token_urlsafe(16)
        headers = {
            "cache-control": "no-cache",
            "content-security-policy": _policy(nonce),
            **_SAFETY,
        }
        return Response(
            self._page.replace(NONCE_MARK, nonce), media_type="text/html", headers=headers
        )


def open_console(places: tuple[Path, ...] = PLACES) -> Console | None:
    """Read the console from the first of `places` that has one; None where it was not built."""
    folder = next((place for place in places if (place / _PAGE).is_file()), None)
    if folder is None:
        return None
    files = {
        f"/{path.relative_to(folder).as_posix()}": path
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".") and path.suffix not in {".br", ".gz"}
    }
    page = files.pop(f"/{_PAGE}").read_text(encoding="utf-8")
    return Console(page, {name: _read(name, path) for name, path in files.items()})


def _is_page(path: str) -> bool:
    section = path.split("/", 2)[1] if path.startswith("/") else None
    return section in _SECTIONS or path.rstrip("/") in _LONE_PAGES


def _read(name: str, path: Path) -> Asset:
    plain = path.read_bytes()
    beside = ((coding, path.with_name(path.name + ending)) for coding, ending in _ENCODINGS)
    guessed = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return Asset(
        media_type=guessed or "application/octet-stream",
        etag=f'"{hashlib.sha256(plain).hexdigest()[:24]}"',
        is_immutable=name.startswith("/assets/"),
        plain=plain,
        compressed={coding: each.read_bytes() for coding, each in beside if each.is_file()},
    )


def _file(asset: Asset, asked: Headers) -> Response:
    headers = {
        # Hashes stand in the names of assets, so a name never means another content.
        "cache-control": "public, max-age=31536000, immutable"
        if asset.is_immutable
        else "no-cache",
        "etag": asset.etag,
        "vary": "Accept-Encoding",
        **_SAFETY,
    }
    if asset.media_type == "text/html":
        headers["content-security-policy"] = _FRAME_POLICY
    if asked.get("if-none-match") == asset.etag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    accepted = {each.split(";")[0].strip() for each in asked.get("accept-encoding", "").split(",")}
    for coding, body in asset.compressed.items():
        if coding in accepted:
            headers["content-encoding"] = coding
            return Response(body, media_type=asset.media_type, headers=headers)
    return Response(asset.plain, media_type=asset.media_type, headers=headers)


def _policy(nonce: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self' data: blob:",
            "media-src data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            "frame-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
