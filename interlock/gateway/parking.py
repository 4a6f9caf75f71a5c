"""Calls that wait for a modern client's input: parked here, found again by a sealed state.

A legacy server asks in the middle of a call and keeps the call open; a modern client gets the
question as a result and answers with a new request. In between the call is parked.
"""

import asyncio
import base64
import binascii
import secrets
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from itertools import count

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from interlock.errors import BadInput, RPCError, TooMany, UpstreamFailed
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, as_object, dumps, loads
from interlock.upstreams.port import Caller

STATE_LIFETIME = 600.0  # seconds
GATHER_WINDOW = 0.02  # seconds in which questions asked together are put into one result
MAX_UNHEARD = 1000  # notifications of one call that are kept until its client comes back
_NONCE = 12


class StateRefused(BadInput):
    """A `requestState` is tampered with, expired, or belongs to another caller or request."""

    reason = "state_refused"


@dataclass(slots=True)
class _Question:
    method: str
    params: JSONObject
    answer: "asyncio.Future[JSONObject]"


class ParkedCall:
    """One call to a legacy server that may ask its modern client for input, several times."""

    def __init__(self, binding: bytes) -> None:
        self.id = secrets.token_urlsafe(12)
        self.binding = binding
        self.expires = time.time() + STATE_LIFETIME
        self.work: asyncio.Task[JSONObject] | None = None
        self._token: str | int | None = None
        self._caller: Caller | None = None
        self._unheard: deque[tuple[str, JSONObject]] = deque(maxlen=MAX_UNHEARD)
        self._questions: dict[str, _Question] = {}
        self._keys = count(1)
        self._asked = asyncio.Event()

    def notify(self, method: str, params: JSONObject) -> None:
        """Pass a notification to the request that waits now, or keep it for the next one."""
        if self._caller is None:
            self._unheard.append((method, params))
            return
        if method == "notifications/progress":
            # Each retry is a request of its own, and may have another token or none.
            if self._token is None:
                return
            params = {**params, "progressToken": self._token}
        self._caller.notify(method, params)

    async def ask(self, method: str, params: JSONObject) -> JSONObject:
        """Hold the server's question until a retry of the call brings the answer."""
        key = f"{method.partition('/')[0]}-{next(self._keys)}"
        answer: asyncio.Future[JSONObject] = asyncio.get_running_loop().create_future()
        self._questions[key] = _Question(method, params, answer)
        self._asked.set()
        try:
            return await answer
        finally:
            del self._questions[key]

    def deliver(self, responses: JSONObject) -> None:
        """Hand the client's answers to the questions that they belong to; ignore all others."""
        for key, value in responses.items():
            question = self._questions.get(key)
            answer = as_object(value)
            if question is not None and answer is not None and not question.answer.done():
                question.answer.set_result(answer)

    async def next_result(
        self, caller: Caller, token: str | int | None = None
    ) -> JSONObject | None:
        """Wait for the call's result, or for questions; None means that questions are open.

        `token` is the progress token of the request that waits.
        """
        if self.work is None:
            raise RPCError(jsonrpc.INTERNAL_ERROR, "This call was never started.")
        self._caller, self._token = caller, token
        while self._unheard:
            self.notify(*self._unheard.popleft())
        try:
            await asyncio.sleep(0)
            while not self.work.done():
                if self._open_questions():
                    await asyncio.wait({self.work}, timeout=GATHER_WINDOW)
                    break
                self._asked.clear()
                asked = asyncio.ensure_future(self._asked.wait())
                try:
                    await asyncio.wait({self.work, asked}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    asked.cancel()
            return self.work.result() if self.work.done() else None
        except asyncio.CancelledError:
            self.work.cancel()
            raise
        finally:
            self._caller = None
            self.expires = time.time() + STATE_LIFETIME

    def rest(self) -> None:
        """Let go of the session that the call failed in: the failure holds all that it came through."""
        if self._caller is None and self.work is not None and not self.work.cancelled():
            failure = self.work.exception()
            if isinstance(failure, RPCError | UpstreamFailed):
                failure.with_traceback(None)

    @property
    def is_overdue(self) -> bool:
        """Whether the client did not come back in time; one that waits now is there."""
        return self._caller is None and self.expires < time.time()

    def _open_questions(self) -> dict[str, _Question]:
        return {key: one for key, one in self._questions.items() if not one.answer.done()}

    def input_required(self, state: str) -> JSONObject:
        """Return the result that puts the open questions to the client."""
        return {
            "resultType": "input_required",
            "inputRequests": {
                key: {"method": one.method, "params": one.params}
                for key, one in self._open_questions().items()
            },
            "requestState": state,
        }


class Parking:
    """All parked calls, and the seal on the states that lead to them.

    Of a call that ends while its client is away the outcome is kept for the client; of these the
    oldest go where there are too many. `mark` begins every state and says which process of the gateway parked; the seal binds it.
    """

    def __init__(self, key: bytes, limit: int = 10_000, *, mark: str = "") -> None:
        self._cipher = AESGCM(key)
        self._mark = mark
        self._limit = limit
        self._calls: dict[str, ParkedCall] = {}
        self._over: OrderedDict[str, ParkedCall] = OrderedDict()

    def add(self, call: ParkedCall) -> None:
        """Keep a call until it ends or expires. Raises TooMany."""
        if len(self._calls) >= self._limit:
            raise TooMany("The gateway holds as many waiting calls as it may.", retry_after=10)
        self._calls[call.id] = call

    def ended(self, call: ParkedCall) -> None:
        """Keep only the outcome of a call that ended, if its client is still to come for it."""
        if self._calls.pop(call.id, None) is None:
            return
        call.rest()
        self._over[call.id] = call
        if len(self._over) > self._limit:
            self._over.popitem(last=False)

    def remove(self, call: ParkedCall) -> None:
        """Forget a call whose outcome was told, or is wanted no more."""
        self._calls.pop(call.id, None)
        self._over.pop(call.id, None)

    def seal(self, call: ParkedCall) -> str:
        """Return the state that finds `call` again, for its own request and principal only."""
        nonce = secrets.token_bytes(_NONCE)
        content = dumps({"id": call.id, "expires": call.expires})
        sealed = nonce + self._cipher.encrypt(nonce, content, self._bound(call.binding))
        return self._mark + base64.urlsafe_b64encode(sealed).decode()

    def claim(self, state: object, binding: bytes) -> ParkedCall:
        """Return the call that a retry belongs to. Raises StateRefused."""
        try:
            sealed = _decoded(state, self._mark)
            bound = self._bound(binding)
            content = loads(self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound))
        except (InvalidTag, binascii.Error, ValueError):
            raise StateRefused(
                '"requestState" was changed, or belongs to another caller or request; '
                "send the call again without it."
            ) from None
        call = self._calls.get(content["id"]) or self._over.get(content["id"])
        if call is None or content["expires"] < time.time():
            raise StateRefused('"requestState" has expired; send the call again without it.')
        return call

    def _bound(self, binding: bytes) -> bytes:
        return self._mark.encode() + binding

    def expire(self) -> None:
        """Cancel the calls whose clients did not come back in time."""
        for call in (*self._calls.values(), *self._over.values()):
            if call.is_overdue:
                self.remove(call)
                if call.work is not None:
                    call.work.cancel()

    def __len__(self) -> int:
        """How many calls wait for their clients."""
        return len(self._calls)

    async def close(self) -> None:
        """Cancel every parked call."""
        work = [call.work for call in self._calls.values() if call.work is not None]
        self._calls.clear()
        self._over.clear()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)


def _decoded(state: object, mark: str) -> bytes:
    """Return the bytes of a state. Raises ValueError where we would have spelled them otherwise."""
    sealed = base64.urlsafe_b64decode(str(state).removeprefix(mark).encode("ascii"))
    # The decoder overlooks much: what is appended or put in between, and bits that no byte needs.
    if mark + base64.urlsafe_b64encode(sealed).decode() != state:
        raise ValueError("another spelling of the same bytes")
    return sealed
