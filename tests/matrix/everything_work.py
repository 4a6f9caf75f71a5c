"""One task of the everything server: its status, its open questions, and who waits for news of it."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from itertools import count
from typing import Any

from everything_offer import JSONObject

OVER = frozenset({"completed", "failed", "cancelled"})


@dataclass(slots=True)
class Question:
    """What a task wants to know of its client; `is_put` once it was sent."""

    method: str
    params: JSONObject
    answer: "asyncio.Future[JSONObject]"
    is_put: bool = False


class Task:
    """Work that goes on after its call was answered; `tell` is called when its status changes.

    When it is over it has a `result`, or an `error`, or was cancelled.
    """

    def __init__(self, task_id: str, tell: Callable[["Task"], None]) -> None:
        self.id = task_id
        self.status = "working"
        self.questions: dict[str, Question] = {}
        self.result: JSONObject | None = None
        self.error: JSONObject | None = None
        self.news = asyncio.Event()
        self._tell = tell
        self._keys = count(1)
        self._running: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether its status will never change again."""
        return self.status in OVER

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin to work; `work` calls `end` when it is done."""
        self._running = asyncio.create_task(work)

    def end(self, status: str) -> None:
        """Say how it ended; only the first time counts."""
        self._become(status)

    def cancel(self) -> None:
        """Stop the work."""
        self._become("cancelled")
        if self._running is not None:
            self._running.cancel()

    async def ask(self, method: str, params: JSONObject) -> JSONObject:
        """Wait until the client has answered a question."""
        key, answer = f"q{next(self._keys)}", asyncio.get_running_loop().create_future()
        self.questions[key] = Question(method, params, answer)
        self._become("input_required")
        try:
            return await answer
        finally:
            del self.questions[key]
            self._become("working")

    def _become(self, status: str) -> None:
        if self.is_over:
            return
        self.status = status
        news, self.news = self.news, asyncio.Event()
        news.set()
        self._tell(self)
