"""The names that clients give to the fields of a server, and what each of them means to us."""

from types import MappingProxyType

from interlock.upstreams.definition import TransportName

TRANSPORTS: MappingProxyType[str, TransportName] = MappingProxyType(
    {
        "stdio": "stdio",
        "sse": "sse",
        "http": "streamable-http",
        "streamable-http": "streamable-http",
        "streamablehttp": "streamable-http",
    }
)

FILE_FIELDS = MappingProxyType(
    {
        "type": "type",
        "transport": "type",
        "transportType": "type",
        "command": "command",
        "args": "args",
        "env": "env",
        "env_vars": "env_vars",
        "cwd": "cwd",
        "url": "url",
        "serverUrl": "url",
        "httpUrl": "url",
        "urls": "urls",
        "headers": "headers",
        "http_headers": "headers",
        "env_http_headers": "env_http_headers",
        "bearer_token_env_var": "bearer_token_env_var",
        "timeout": "timeout",
        "tool_timeout_sec": "tool_timeout_sec",
        "toolTimeouts": "tool_timeouts",
        "tool_timeouts": "tool_timeouts",
        "retries": "retries",
        "connections": "connections",
        "autoApprove": "auto_approve",
        "auto_approve": "auto_approve",
        "alwaysAllow": "auto_approve",
        "autoAllow": "auto_approve",
        "autoAllowTools": "auto_approve",
        "autoAllowedTools": "auto_approve",
        "disabledTools": "disabled_tools",
        "disabled_tools": "disabled_tools",
        "excludeTools": "disabled_tools",
        "tools": "tools",
        "disabled": "disabled",
        "enabled": "enabled",
        "description": "description",
    }
)

API_FIELDS = frozenset(
    {
        "type",
        "transport",
        "command",
        "args",
        "env",
        "cwd",
        "url",
        "urls",
        "headers",
        "timeout",
        "toolTimeouts",
        "tool_timeouts",
        "retries",
        "connections",
        "autoApprove",
        "auto_approve",
        "disabledTools",
        "disabled_tools",
        "disabled",
        "enabled",
        "description",
    }
)

_FILTER = "name the tools to leave out in disabledTools."
_SIGN_IN = "signing in with OAuth is set up on the server's page."
_START = "the time to start is one setting for all servers."
_TRUST = "list the tools under autoApprove."
_SANDBOX = "isolation is set up on the server's page."
_CLIENT = "it concerns only the client."

NOT_CARRIED = MappingProxyType(
    {
        "envFile": "copy its variables into env.",
        "headersHelper": "Interlock runs no command for headers; write them under headers.",
        "bearer_token": "write it as an Authorization header.",
        "oauth": _SIGN_IN,
        "oauth_resource": _SIGN_IN,
        "auth": _SIGN_IN,
        "authProviderType": _SIGN_IN,
        "scopes": _SIGN_IN,
        "targetAudience": _SIGN_IN,
        "targetServiceAccount": _SIGN_IN,
        "includeTools": _FILTER,
        "enabledTools": _FILTER,
        "enabled_tools": _FILTER,
        "trust": _TRUST,
        "default_tools_approval_mode": _TRUST,
        "startup_timeout_sec": _START,
        "startup_timeout_ms": _START,
        "sandbox": _SANDBOX,
        "sandboxEnabled": _SANDBOX,
        "experimental_environment": _SANDBOX,
        "dev": _CLIENT,
        "gallery": _CLIENT,
        "alwaysLoad": _CLIENT,
        "required": _CLIENT,
        "supports_parallel_tool_calls": _CLIENT,
        "watchPaths": _CLIENT,
    }
)
