"""The proxies by which remote servers are reached, as the environment names them.

Variables as other programs read them: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, each in small
letters, too, which win. This machine's own addresses are reached directly, unless `NO_PROXY` holds
`<-loopback>`.
"""

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

DEFAULT_PORT: Final = 80
WITH_LOOPBACK: Final = "<-loopback>"
_KINDS: Final = {"http": "HTTP_PROXY", "https": "HTTPS_PROXY"}
_ALL: Final = "ALL_PROXY"


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy; `credential` is the value of `Proxy-Authorization`, `variable` where it is set.

    `fault` says why it cannot be used, where that is so: what it is for is not reached past it.
    """

    variable: str
    host: str = ""
    port: int = DEFAULT_PORT
    credential: str | None = field(default=None, repr=False)
    fault: str | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Proxies:
    """Which proxy leads to which address."""

    def __init__(
        self, by_scheme: Mapping[str, Proxy] | None = None, exempt: "Exempt | None" = None
    ) -> None:
        self.by_scheme = dict(by_scheme or {})
        self._exempt = exempt or Exempt("")
        self._is_exempt = lru_cache(maxsize=1024)(self._exempt.holds)

    def of(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Return the proxy of an address; None where it is reached directly."""
        proxy = self.by_scheme.get(scheme)
        return None if proxy is None or self._is_exempt(host, port) else proxy


class Exempt:
    """What a value of `NO_PROXY` names: hosts, domains, addresses and networks; `*` is all."""

    def __init__(self, value: str) -> None:
        words = [word.strip().lower() for word in value.split(",")]
        self._is_all = "*" in words
        self._with_loopback = WITH_LOOPBACK in words
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._names: list[tuple[str, int | None]] = []
        for word in words:
            if word and word not in {"*", WITH_LOOPBACK}:
                self._add(word)

    def _add(self, word: str) -> None:
        try:
            self._networks.append(ipaddress.ip_network(word.strip("[]"), strict=False))
        except ValueError:
            name, colon, port = word.rpartition(":")
            is_with_port = bool(colon) and port.isdecimal()
            known = (name if is_with_port else word).strip("[]").removeprefix("*").lstrip(".")
            self._names.append((known, int(port) if is_with_port else None))

    def holds(self, host: str, port: int) -> bool:
        """Tell whether an address is reached directly."""
        host = host.lower().rstrip(".")
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            address = None
        if is_loopback(host):
            return not self._with_loopback
        if self._is_all or any(_is_of(host, port, *named) for named in self._names):
            return True
        return address is not None and any(address in network for network in self._networks)


def is_loopback(host: str) -> bool:
    """Tell whether a host's name or number means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    return address.is_loopback or address.is_unspecified


def proxies_of(environ: Mapping[str, str]) -> Proxies:
    """Return the proxies that an environment names."""
    found: dict[str, Proxy] = {}
    for scheme, variable in _KINDS.items():
        for name in (variable, _ALL):
            value = _value(environ, name)
            if value:
                found[scheme] = _read(value, name)
                break
    return Proxies(found, Exempt(_value(environ, "NO_PROXY")))


def _value(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name.lower()) or environ.get(name) or "").strip()


def _read(value: str, variable: str) -> Proxy:
    """Read the address of a proxy. No fault repeats it, for it may hold a password."""
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("http://")
    if parts.scheme != "http":
        fault = f"{variable} names a proxy of the kind {parts.scheme}, but only http:// is spoken"
        return Proxy(variable, fault=fault)
    if not host or not host.isascii() or not host.isprintable():
        return Proxy(variable, fault=f"{variable} is no address of a proxy, as http://host:port is")
    return Proxy(variable, host, port or DEFAULT_PORT, _credential(parts))


def _credential(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    user, password = unquote(parts.username), unquote(parts.password or "")
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _is_of(host: str, port: int, known: str, wanted: int | None) -> bool:
    is_named = host == known or host.endswith(f".{known}")
    return bool(known) and is_named and wanted in {None, port}
