"""`interlock keys …`: the API keys of a project."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from interlock.cli.session import Session, gateway_command
from interlock.errors import BadInput
from interlock.protocol.json import JSONObject, as_list, as_object

app = typer.Typer(no_args_is_help=True, help="The API keys of a project.")

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_RATE = re.compile(r"([1-9][0-9]{0,6})/(second|minute)")
_LIFETIME = re.compile(r"([1-9][0-9]{0,4})([mhdw])")


class KeyRole(StrEnum):
    """What a key may do."""

    OWNER = "owner"
    DEVELOPER = "developer"
    REPORTER = "reporter"


Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        help="A server that it sees, or some of its tools, such as github:get_*; may be repeated.",
    ),
]
Rate = Annotated[
    str | None, typer.Option("--rate", help="How often it may call, such as 600/minute.")
]
Burst = Annotated[
    int | None, typer.Option("--burst", help="How many of these calls may come at once.")
]


@gateway_command(app, "create")
def create_key(  # noqa: PLR0913 -- one parameter for each option
    session: Session,
    *,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    role: Annotated[KeyRole, typer.Option("--role", help="What it may do.")] = KeyRole.DEVELOPER,
    expires_in: Annotated[
        str | None, typer.Option("--expires-in", help="How long it lives, such as 30d or 12h.")
    ] = None,
    allow: Allow = None,
    rate: Rate = None,
    burst: Burst = None,
) -> None:
    """Make an API key; its secret is shown only now."""
    body: JSONObject = {"name": name, "role": role.value}
    if expires_in is not None:
        body["expires_at"] = (datetime.now(UTC) + _lifetime(expires_in)).isoformat()
    if allow is not None:
        body["access"] = _access(allow)
    if rate is not None or burst is not None:
        body["rate_limit"] = _rate_limit(rate, burst)
    created = session.gateway.object("POST", "keys", body=body)
    key = as_object(created.get("key")) or {}
    session.screen.document(created)
    session.screen.note(f"Key {key.get('id')} for {name}; keep it, for it is shown only now:")
    session.screen.say(str(created.get("secret")))


@gateway_command(app, "list")
def list_keys(session: Session) -> None:
    """List the API keys, without their secrets."""
    keys = session.gateway.list("keys")
    session.screen.document({"keys": keys})
    session.screen.table(
        ("ID", "NAME", "ROLE", "BEGINS WITH", "STATE", "EXPIRES", "LAST USED", "SEES", "RATE"),
        [
            (
                each.get("id"),
                each.get("name"),
                each.get("role"),
                each.get("prefix"),
                _state(each),
                each.get("expires_at"),
                each.get("last_used_at"),
                _sees(each),
                _rate(each),
            )
            for each in keys
        ],
    )


@gateway_command(app, "change")
def change_key(  # noqa: PLR0913 -- one parameter for each option
    session: Session,
    *,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `list` shows it.")],
    name: Annotated[str | None, typer.Option("--name", help="What the key is for.")] = None,
    allow: Allow = None,
    allow_all: Annotated[bool, typer.Option("--allow-all", help="Let it see everything.")] = False,
    rate: Rate = None,
    burst: Burst = None,
    no_rate: Annotated[bool, typer.Option("--no-rate", help="Take its own rate away.")] = False,
) -> None:
    """Change an API key's name, or what it is limited to."""
    if (allow is not None and allow_all) or (no_rate and (rate is not None or burst is not None)):
        raise BadInput("Give a limit or take it away; --allow-all and --no-rate take it away.")
    body: JSONObject = {} if name is None else {"name": name}
    if allow is not None or allow_all:
        body["access"] = None if allow is None else _access(allow)
    if rate is not None or burst is not None or no_rate:
        body["rate_limit"] = None if no_rate else _rate_limit(rate, burst)
    if not body:
        raise BadInput("Say what to change: --name, --allow, --allow-all, --rate or --no-rate.")
    changed = session.gateway.object("PATCH", "keys", key_id, body=body)
    session.screen.document(changed)
    session.screen.say(f"Changed {key_id}; it holds from the key's next call on.")


@gateway_command(app, "revoke")
def revoke_key(
    session: Session,
    *,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `list` shows it.")],
) -> None:
    """Revoke an API key at once."""
    session.gateway.call("DELETE", "keys", key_id)
    session.screen.document({"revoked": key_id})
    session.screen.say(f"Revoked {key_id}; whoever used it is refused from now on.")


def _lifetime(text: str) -> timedelta:
    found = _LIFETIME.fullmatch(text)
    if found is None:
        raise BadInput("--expires-in takes a number and m, h, d or w, such as 30d.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _access(allowed: list[str]) -> dict[str, list[str]]:
    grants: dict[str, list[str]] = {}
    for each in allowed:
        server, _, tools = each.partition(":")
        grants.setdefault(server, []).append(tools or "*")
    return grants


def _rate_limit(rate: str | None, burst: int | None) -> JSONObject:
    found = _RATE.fullmatch(rate or "")
    if found is None:
        raise BadInput("--rate takes a number of calls per second or minute, such as 600/minute.")
    limit: JSONObject = {"calls": int(found[1]), "per": found[2]}
    return limit if burst is None else {**limit, "burst": burst}


def _sees(key: JSONObject) -> str:
    access = as_object(key.get("access"))
    if access is None:
        return "all"
    pairs = ((server, tool) for server, tools in access.items() for tool in as_list(tools) or ("",))
    return " ".join(f"{server}:{tool}" for server, tool in pairs) or "nothing"


def _rate(key: JSONObject) -> str | None:
    limit = as_object(key.get("rate_limit"))
    return None if limit is None else f"{limit.get('calls')}/{limit.get('per')}"


def _state(key: JSONObject) -> str:
    if key.get("revoked_at"):
        return "revoked"
    expires = key.get("expires_at")
    if isinstance(expires, str) and datetime.fromisoformat(expires) <= datetime.now(UTC):
        return "expired"
    return "ok"
