"""`interlock keys …`: the API keys of a project."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from interlock.cli.session import Session, gateway_command
from interlock.errors import BadInput
from interlock.protocol.json import JSONObject, as_object

app = typer.Typer(no_args_is_help=True, help="The API keys of a project.")

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LIFETIME = re.compile(r"([1-9][0-9]{0,4})([mhdw])")


class KeyRole(StrEnum):
    """What a key may do."""

    OWNER = "owner"
    DEVELOPER = "developer"
    REPORTER = "reporter"


@gateway_command(app, "create")
def create_key(
    session: Session,
    *,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    role: Annotated[KeyRole, typer.Option("--role", help="What it may do.")] = KeyRole.DEVELOPER,
    expires_in: Annotated[
        str | None, typer.Option("--expires-in", help="How long it lives, such as 30d or 12h.")
    ] = None,
) -> None:
    """Make an API key; its secret is shown only now."""
    body: JSONObject = {"name": name, "role": role.value}
    if expires_in is not None:
        body["expires_at"] = (datetime.now(UTC) + _lifetime(expires_in)).isoformat()
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
        ("ID", "NAME", "ROLE", "BEGINS WITH", "STATE", "EXPIRES", "LAST USED"),
        [
            (
                each.get("id"),
                each.get("name"),
                each.get("role"),
                each.get("prefix"),
                _state(each),
                each.get("expires_at"),
                each.get("last_used_at"),
            )
            for each in keys
        ],
    )


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


def _state(key: JSONObject) -> str:
    if key.get("revoked_at"):
        return "revoked"
    expires = key.get("expires_at")
    if isinstance(expires, str) and datetime.fromisoformat(expires) <= datetime.now(UTC):
        return "expired"
    return "ok"
