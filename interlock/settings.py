"""Every setting of the program: frozen, one section per package, read from the environment.

`INTERLOCK_PORT=20100` sets a field of the first section, `INTERLOCK_GATEWAY__MAX_BODY=1048576`
one of a named section. A `.env` file in the working directory counts too; the environment wins.
Unknown names that begin with `INTERLOCK_` fail at start, so that a typing error is not silent.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from interlock.errors import BadInput

PREFIX = "INTERLOCK_"
LEGACY_NAMES = {"MCP_STATION_PORT": "INTERLOCK_PORT", "LOG_LEVEL": "INTERLOCK_LOG_LEVEL"}

# These belong to the command line as a client; they are no settings of the server.
CLIENT_NAMES = {f"{PREFIX}{name}" for name in ("KEY", "URL", "PROJECT", "DEBUG")}

LogLevel = Literal["debug", "info", "warning", "error"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GatewaySettings(_Section):
    """Limits of the endpoints that MCP clients call."""

    max_body: int = Field(default=4 * 1024 * 1024, ge=1024, description="bytes of a request body")
    header_timeout: float = Field(
        default=10.0, gt=0, description="seconds until headers are complete"
    )
    body_timeout: float = Field(
        default=30.0, gt=0, description="seconds without progress of a body, or of its reader"
    )
    page_size: int = Field(default=1000, ge=1, description="items of one page of a list")
    session_idle: float = Field(
        default=1800.0, gt=0, description="seconds until an idle session ends"
    )
    max_sessions: int = Field(default=20_000, ge=1, description="legacy sessions held at once")
    resume_bytes: int = Field(
        default=64 * 1024 * 1024, ge=0, description="bytes of finished answers kept for resuming"
    )
    keep_alive: float = Field(
        default=15.0, gt=0, description="seconds between comments on quiet streams"
    )
    sessions_per_server: int = Field(
        default=64, ge=1, description="upstream sessions of one server"
    )
    key_rate: int = Field(
        default=0, ge=0, le=1_000_000, description="calls a minute of a key; 0 is no limit"
    )
    key_burst: int = Field(
        default=0, ge=0, le=1_000_000, description="of these at once; 0 is all of them"
    )
    project_rate: int = Field(
        default=0, ge=0, le=1_000_000, description="calls a minute of a project; 0 is no limit"
    )
    project_burst: int = Field(
        default=0, ge=0, le=1_000_000, description="of these at once; 0 is all of them"
    )
    session_rate: int = Field(
        default=120,
        ge=0,
        le=1_000_000,
        description="new sessions a minute of a caller; 0 is no limit",
    )
    session_burst: int = Field(
        default=60, ge=0, le=1_000_000, description="of these at once; 0 is all of them"
    )


class StationSettings(_Section):
    """Limits of the processes that we host."""

    max_line: int = Field(default=32 * 1024 * 1024, ge=1024, description="bytes of one message")
    stderr_lines: int = Field(default=1000, ge=10, description="lines of stderr kept per server")
    start_timeout: float = Field(
        default=60.0, gt=0, description="seconds until a server must answer"
    )
    stop_timeout: float = Field(
        default=3.0, gt=0, description="seconds from a polite to a forced stop"
    )
    max_sessions: int = Field(default=64, ge=1, description="REST sessions held at once")
    session_idle: float = Field(
        default=3600.0, gt=0, description="seconds until an idle session ends"
    )


class AuditSettings(_Section):
    """How records are written and kept."""

    flush_interval: float = Field(default=0.2, gt=0, description="seconds between two batches")
    max_pending: int = Field(default=100_000, ge=100, description="records held in memory")
    max_spool: int = Field(
        default=1024 * 1024 * 1024, ge=0, description="bytes of records held on the disk"
    )
    keep_days: int = Field(default=90, ge=1, description="days until a record is deleted")


class IdentitySettings(_Section):
    """People and their sessions."""

    admin_email: str = "admin@localhost"
    session_hours: int = Field(default=12, ge=1, description="hours until a login ends")


class TelemetrySettings(_Section):
    """What operators see: numbers for Prometheus, spans and numbers for OpenTelemetry."""

    metrics: Literal["loopback", "key", "off"] = Field(
        default="loopback", description="who may read /metrics"
    )
    max_tools: int = Field(default=1000, ge=1, description="tools with numbers of their own")
    otlp_endpoint: str | None = Field(
        default=None, pattern=r"^https?://", description="the collector's address; none: off"
    )
    otlp_headers: SecretStr | None = Field(
        default=None, description="NAME=VALUE, comma-separated, sent to the collector"
    )
    service_name: str | None = Field(default=None, min_length=1, description="how we are named")
    sample_ratio: float | None = Field(
        default=None, ge=0, le=1, description="share of the traces begun here that are told"
    )


class Settings(_Section):
    """All settings; the first fields are the ones that most people touch."""

    host: str = "127.0.0.1"
    port: int = Field(default=20100, ge=0, le=65535)
    public_url: str | None = Field(
        default=None, description="the address that clients use, if not ours"
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="further Host names, comma-separated"
    )
    workers: int = Field(default=1, ge=1, le=64, description="processes that serve the port")
    data_dir: Path = Path(".interlock")
    database_url: str | None = None
    log_level: LogLevel = "info"
    log_format: Literal["text", "json"] = "text"
    bootstrap_key: SecretStr | None = None
    master_key: SecretStr | None = Field(
        default=None, description="base64 of 32 bytes; else a key file"
    )

    gateway: GatewaySettings = GatewaySettings()
    station: StationSettings = StationSettings()
    audit: AuditSettings = AuditSettings()
    identity: IdentitySettings = IdentitySettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    @property
    def address(self) -> str:
        """The base address that clients are told, without a slash at its end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings from `.env` and the environment; `overrides` (from flags) win.

    Raises BadInput with one line per wrong setting.
    """
    found: dict[str, str | None] = {**dotenv_values(".env"), **os.environ}
    for legacy, name in LEGACY_NAMES.items():
        if legacy in found:
            found.setdefault(name, found[legacy])
    ours = {name for name in found if name.startswith(PREFIX)} - CLIENT_NAMES
    values = _nest({name: found[name] for name in ours})
    values.update({name: value for name, value in (overrides or {}).items() if value is not None})
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise BadInput("\n".join(_explain(fault) for fault in error.errors())) from None


def _nest(found: Mapping[str, str | None]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in found.items():
        section, _, field = name.removeprefix(PREFIX).lower().partition("__")
        if field:
            values.setdefault(section, {})[field] = value
        elif section == "allowed_hosts":
            values[section] = [host.strip() for host in (value or "").split(",") if host.strip()]
        else:
            values[section] = value.lower() if section == "log_level" and value else value
    return values


def _explain(fault: Any) -> str:
    place = "__".join(str(part) for part in fault["loc"]).upper()
    if fault["type"] == "extra_forbidden":
        return f"{PREFIX}{place} is not a setting; correct its name or remove it."
    return f"{PREFIX}{place}: {fault['msg']}."
