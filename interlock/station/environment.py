"""The environment that hosted servers inherit: enough to find programs, nothing of our own."""

from collections.abc import Mapping

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_NAMES = frozenset(
    (
        *("PATH", "HOME", "LANG", "TMPDIR", "TZ", "USER", "SHELL"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"),
        *_PROXIES,
        *(name.lower() for name in _PROXIES),
    )
)
# So that npx and uvx find their registries and caches.
_PREFIXES = ("LC_", "PIP_", "UV_", "NPM_CONFIG_", "npm_config_")


def child_environment(own: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a server: what it may see of `ours`, under its `own` values."""
    inherited = {name: ours[name] for name in ours if name in _NAMES or name.startswith(_PREFIXES)}
    return inherited | dict(own)
