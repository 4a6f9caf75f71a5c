"""The master key: where it comes from, and when it is refused."""

import base64
import binascii
import os
import secrets
import stat
from pathlib import Path

from pydantic import SecretStr

from interlock.errors import BadInput, Unavailable

KEY_BYTES = 32
FILE_NAME = "master.key"
_SETTING = "INTERLOCK_MASTER_KEY"
_MAX_FILE = 4096  # bytes


class MasterKeyUnusable(Unavailable):
    """The master key is missing, readable by others, damaged, or not the one of this database."""

    reason = "master_key_unusable"


def load_master_key(setting: SecretStr | None, data_dir: Path, *, create: bool = True) -> bytes:
    """Return the 32 bytes of the master key, from the setting or else from `<data_dir>/master.key`.

    A missing file is made, readable by its owner alone, unless `create` is false because the
    database already holds secrets that a new key could not open. Raises BadInput for a wrong
    setting and MasterKeyUnusable for a file that must not be used.
    """
    if setting is not None:
        return _from_setting(setting.get_secret_value())
    path = data_dir / FILE_NAME
    try:
        if create:
            _make(path)
        return _from_file(path)
    except FileNotFoundError:
        raise MasterKeyUnusable(
            f"The database holds secrets, but {path} is missing; "
            f"restore that file from a backup, or set {_SETTING} to its content."
        ) from None
    except OSError as error:
        raise MasterKeyUnusable(
            f"The master key file {path} cannot be used: {error.strerror}; "
            "make it readable by the user that runs Interlock."
        ) from error


def _from_setting(text: str) -> bytes:
    key = _decode(text)
    if key is None:
        raise BadInput(
            f"{_SETTING} must be {KEY_BYTES} bytes in base64; "
            f"make one with: openssl rand -base64 {KEY_BYTES}."
        )
    return key


def _from_file(path: Path) -> bytes:
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        content = file.read(_MAX_FILE)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise MasterKeyUnusable(
            f"The master key file {path} is open to other users (mode {mode:04o}); "
            f"close it with: chmod 600 {path}."
        )
    key = _decode(content.decode("ascii", errors="replace"))
    if key is None:
        raise MasterKeyUnusable(
            f"The master key file {path} is damaged: it must hold {KEY_BYTES} bytes in base64; "
            "restore it from a backup."
        )
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _decode(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None
