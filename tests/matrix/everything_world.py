"""What one everything server knows: its lists as they stand, and who wants to hear of changes."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

from everything_offer import APP_TYPE, APP_URI, BLOB_URI, LISTED, PNG, JSONObject, app_html
from everything_work import Task

PAGE = 5  # items; small, so that every list has several pages
INVALID_PARAMS = -32602

Send = Callable[[JSONObject], None]
KEYS = {"tools": "name", "prompts": "name", "resources": "uri"}


class Fault(Exception):
    """A JSON-RPC error to answer with."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.error: JSONObject = {"code": code, "message": message}
        if data is not None:
            self.error["data"] = data


class Hearer(Protocol):
    """A client that may want to hear of changes."""

    def changed(self, kind: str) -> None:
        """Tell it that a list changed."""
        ...

    def updated(self, uri: str) -> None:
        """Tell it that a resource was updated."""
        ...

    def task_changed(self, task: Task) -> None:
        """Tell it that the status of a task changed."""
        ...


class World:
    """The state that all clients of this process share."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lists = {kind: list(items) for kind, items in LISTED.items()}
        self.hearers: set[Hearer] = set()
        self.cancelled: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.roots_changed = asyncio.Event()
        self.gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.turns: defaultdict[str, set[int]] = defaultdict(set)
        self.noted: defaultdict[str, asyncio.Queue[JSONObject]] = defaultdict(asyncio.Queue)
        self.tasks: dict[str, Task] = {}

    def page(self, items: list[JSONObject], kind: str, cursor: object) -> JSONObject:
        """Return one page of a list's items."""
        start = 0
        if cursor is not None:
            head, _, number = str(cursor).partition("/")
            if head != self.name or not number.isdecimal():
                raise Fault(INVALID_PARAMS, f"The cursor {cursor!r} is not mine.")
            start = int(number)
        result: JSONObject = {kind: items[start : start + PAGE]}
        if start + PAGE < len(items):
            result["nextCursor"] = f"{self.name}/{start + PAGE}"
        return result

    def add(self, kind: str, item: JSONObject) -> None:
        """List another item and say so."""
        self.lists[kind].append(item)
        self._changed(kind)

    def drop(self, kind: str, key: str) -> None:
        """List an item no more and say so."""
        self.lists[kind] = [each for each in self.lists[kind] if each[KEYS[kind]] != key]
        self._changed(kind)

    def _changed(self, kind: str) -> None:
        for hearer in tuple(self.hearers):
            hearer.changed(kind)

    def touch(self, uri: str) -> None:
        """Say that a resource was updated."""
        for hearer in tuple(self.hearers):
            hearer.updated(uri)

    def task_changed(self, task: Task) -> None:
        """Say that the status of a task changed."""
        for hearer in tuple(self.hearers):
            hearer.task_changed(task)

    def read(self, uri: str, more: list[JSONObject] | None = None) -> JSONObject:
        """Return the contents of a resource, one of `more` or one that all are offered.

        Raises Fault where there is none.
        """
        listed = {each["uri"] for each in (*self.lists["resources"], *(more or ()))}
        if uri == BLOB_URI:
            return {"uri": uri, "mimeType": "application/octet-stream", "blob": PNG}
        if uri == APP_URI:
            meta = {"ui": {"csp": {"connectDomains": [f"https://{self.name}.example"]}}}
            return {"uri": uri, "mimeType": APP_TYPE, "text": app_html(self.name), "_meta": meta}
        known = ("test://item/", "test://hidden/")
        if uri in listed or uri.startswith(known) or uri.endswith("/end"):
            return {"uri": uri, "mimeType": "text/plain", "text": f"{uri} of {self.name}"}
        raise Fault(INVALID_PARAMS, "Resource not found", {"uri": uri})
