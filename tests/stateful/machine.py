"""The state machine: what may happen next, chosen at random, in any order."""

import traceback
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.stateful import calls, faults, leaks, streams
from tests.stateful.model import STEPS, Call, Client
from tests.stateful.play import Play
from tests.stateful.stage import SERVERS, Stage

T = TypeVar("T")

MAX_CLIENTS = 4
KINDS = ("http", "json", "sse", "modern")
LEGACY = ("http", "json", "sse")
RESUMABLE = 6  # calls; the gateway keeps the streams of the last sixteen

some = st.integers(0, 999)
scripts = st.lists(st.sampled_from(STEPS), max_size=5).map(tuple)
servers = st.sampled_from(sorted(SERVERS)).map(SERVERS.__getitem__)
ways = st.sampled_from(["accept", "decline"])
resources = st.sampled_from(streams.uris())


def _when(holds: Callable[["Sessions"], object]) -> Any:
    return precondition(lambda machine: bool(holds(machine)))


class Sessions(RuleBasedStateMachine):
    """Clients of every kind at servers of every kind, on one stage for all examples."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.play = Play(stage)
        self.is_broken = False

    def do(self, work: Coroutine[Any, Any, object]) -> None:
        """Let something happen, and everything that follows from it."""
        try:
            self.stage.run(work)
        except BaseException:
            # Where a failure does not repeat, Hypothesis tells of its draws and not of the failure.
            traceback.print_exc()
            raise

    def teardown(self) -> None:
        """Let all clients go; nothing may be left of them."""

        async def end() -> None:
            await leaks.leave(self.play)
            self.stage.director.reset()
            for name in self.play.offered:
                # What is still on its way would be mistaken for a change of the next example.
                await streams.until_offered(self.play, name, 0)
            await leaks.settle(self.stage, self.play)
            self.play.check()

        self.do(end())

    # What there is to choose from. It depends on the model alone, never on what was seen.

    def held(self, *kinds: str) -> list[Call]:
        """Return the calls that are held and waited for, of clients of these kinds."""
        held = self.play.in_state("held")
        return [call for call in held if call.client.kind in kinds and call.channel.label]

    def asking(self, *, of_modern: bool, at_modern: bool | None = None) -> list[Call]:
        """Return the calls that wait for an answer."""
        return [
            call
            for call in self.play.in_state("asking")
            if call.client.is_modern == of_modern and at_modern in {None, call.server.is_modern}
            if not call.is_unheard
        ]

    def resumable(self) -> list[Call]:
        """Return the calls whose streams can be taken up again."""
        found = [call for client in self.play.some("http") for call in client.calls[-RESUMABLE:]]
        return [call for call in found if streams.can_resume(call)]

    # Clients come and go.

    @_when(lambda self: len(self.play.some(*KINDS)) < MAX_CLIENTS)
    @rule(
        kind=st.sampled_from(KINDS),
        who=st.sampled_from(["a", "b"]),
        can_answer=st.booleans(),
        is_loud=st.booleans(),
    )
    def client_comes(self, kind: str, who: str, can_answer: bool, is_loud: bool) -> None:
        self.do(self.play.open_client(kind, who, can_answer=can_answer, is_loud=is_loud))

    @_when(lambda self: self.play.some(*LEGACY))
    @rule(pick=some)
    def session_is_deleted(self, pick: int) -> None:
        self.do(streams.delete(self.play, _one(self.play.some(*LEGACY), pick)))

    # Calls.

    @_when(lambda self: self.play.some(*KINDS))
    @rule(pick=some, server=servers, steps=scripts, has_token=st.booleans())
    def call(self, pick: int, server: Any, steps: tuple[str, ...], has_token: bool) -> None:
        client = _one(self.play.some(*KINDS), pick)
        self.do(calls.start(self.play, client, server, steps, has_token=has_token))

    @_when(lambda self: self.play.in_state("held"))
    @rule(pick=some)
    def call_goes_on(self, pick: int) -> None:
        self.do(calls.release(self.play, _one(self.play.in_state("held"), pick)))

    @_when(lambda self: self.asking(of_modern=False))
    @rule(pick=some, how=st.sampled_from(["accept", "decline", "refuse"]), twice=st.booleans())
    def legacy_client_answers(self, pick: int, how: str, twice: bool) -> None:
        call = _one(self.asking(of_modern=False), pick)
        work = calls.answer_twice if twice else calls.answer
        self.do(work(self.play, call, how))

    @_when(lambda self: self.asking(of_modern=True))
    @rule(pick=some, how=ways, has_token=st.booleans())
    def modern_client_retries(self, pick: int, how: str, has_token: bool) -> None:
        call = _one(self.asking(of_modern=True), pick)
        self.do(calls.retry(self.play, call, how, has_token=has_token))

    @_when(lambda self: self.asking(of_modern=True))
    @rule(pick=some)
    def modern_client_retries_without_answers(self, pick: int) -> None:
        self.do(calls.retry_without_answers(self.play, _one(self.asking(of_modern=True), pick)))

    @_when(lambda self: self.asking(of_modern=True, at_modern=False))
    @rule(pick=some, how=st.sampled_from(calls.WRONG_WAYS))
    def retry_is_refused(self, pick: int, how: str) -> None:
        call = _one(self.asking(of_modern=True, at_modern=False), pick)
        self.do(calls.retry_wrongly(self.play, call, how))

    @_when(lambda self: self.twins())
    @rule(pick=some)
    def retry_comes_twice(self, pick: int) -> None:
        self.do(calls.retry_twice(self.play, _one(self.twins(), pick)))

    def twins(self) -> list[Call]:
        """Return the calls whose last retry is still being waited for."""
        return [each for each in self.held("modern") if each.retried and not each.is_muted]

    @_when(lambda self: self.asking(of_modern=True, at_modern=False))
    @rule(pick=some)
    def parked_call_expires(self, pick: int) -> None:
        call = _one(self.asking(of_modern=True, at_modern=False), pick)
        self.do(faults.expire(self.play, call))

    @_when(lambda self: self.play.in_state("dead"))
    @rule(pick=some)
    def call_of_a_dead_server_is_retried(self, pick: int) -> None:
        self.do(faults.retry_dead(self.play, _one(self.play.in_state("dead"), pick)))

    @_when(lambda self: self.cancellable())
    @rule(pick=some)
    def call_is_cancelled(self, pick: int) -> None:
        self.do(calls.cancel(self.play, _one(self.cancellable(), pick)))

    def cancellable(self) -> list[Call]:
        """Return the calls that their clients can give up."""
        live = self.play.in_state("held", "asking")
        given_up = [each for each in live if not each.client.is_modern or each.state == "held"]
        return [each for each in given_up if not each.is_unheard]

    @_when(lambda self: self.reusable())
    @rule(pick=some)
    def id_is_reused(self, pick: int) -> None:
        self.do(calls.reuse_id(self.play, _one(self.reusable(), pick)))

    def reusable(self) -> list[Call]:
        """Return the calls whose ids must not be used now."""
        live = self.play.in_state("held", "asking")
        return [each for each in live if not each.client.is_modern]

    @_when(lambda self: self.reusable() and len(self.play.some(*LEGACY)) > 1)
    @rule(pick=some, other=some)
    def stranger_meddles(self, pick: int, other: int) -> None:
        call = _one(self.reusable(), pick)
        strangers = [each for each in self.play.some(*LEGACY) if each is not call.client]
        self.do(calls.meddle(self.play, call, _one(strangers, other)))

    # Streams.

    @_when(lambda self: self.held("http", "json"))
    @rule(pick=some)
    def connection_is_lost(self, pick: int) -> None:
        self.do(streams.drop(self.play, _one(self.held("http", "json"), pick)))

    @_when(lambda self: self.resumable())
    @rule(pick=some, back=st.integers(0, 4))
    def stream_is_resumed(self, pick: int, back: int) -> None:
        self.do(streams.resume(self.play, _one(self.resumable(), pick), back))

    @_when(lambda self: self.play.some("http", "json"))
    @rule(pick=some, back=st.none() | st.integers(0, 4))
    def main_stream_is_opened(self, pick: int, back: int | None) -> None:
        client = _one(self.play.some("http", "json"), pick)
        self.do(streams.follow_main(self.play, client, back))

    @_when(lambda self: self.following())
    @rule(pick=some)
    def main_stream_is_left(self, pick: int) -> None:
        self.do(streams.leave_main(self.play, _one(self.following(), pick)))

    def following(self) -> list[Client]:
        """Return the clients with an open stream of their session."""
        return [each for each in self.play.some("http", "json") if each.main.label]

    # Changes.

    @_when(lambda self: self.play.some(*LEGACY))
    @rule(pick=some, uri=resources)
    def client_subscribes_or_not(self, pick: int, uri: str) -> None:
        client = _one(self.play.some(*LEGACY), pick)
        work = streams.unsubscribe if uri in client.subscribed else streams.subscribe
        self.do(work(self.play, client, uri))

    @_when(lambda self: self.play.some("modern"))
    @rule(pick=some, uris=st.sets(resources, max_size=3).map(sorted).map(tuple))
    def modern_client_listens_or_not(self, pick: int, uris: tuple[str, ...]) -> None:
        client = _one(self.play.some("modern"), pick)
        if client.main.label:
            self.do(streams.stop_listening(self.play, client))
        else:
            self.do(streams.listen(self.play, client, uris))

    @_when(lambda self: self.subscribed())
    @rule(pick=some)
    def resource_is_updated(self, pick: int) -> None:
        self.do(streams.touch(self.play, _one(self.subscribed(), pick)))

    def subscribed(self) -> list[str]:
        """Return what somebody wants to hear of."""
        return sorted({uri for client in self.play.clients for uri in client.subscribed})

    @_when(lambda self: self.play.clients)
    @rule(server=servers)
    def list_changes(self, server: Any) -> None:
        more = 1 - self.play.offered.get(server.name, 0)
        self.do(streams.offer(self.play, server.name, more))

    # What goes wrong, and what crosses.

    @_when(lambda self: self.play.clients and not self.is_broken)
    @rule(server=servers)
    def server_dies(self, server: Any) -> None:
        if any(call.server is server and call.is_unheard for call in self.play.calls):
            return
        self.is_broken = True
        self.do(faults.break_server(self.play, server))

    @_when(lambda self: self.play.some(*LEGACY))
    @rule(pick=some, server=servers)
    def call_and_cancellation_cross(self, pick: int, server: Any) -> None:
        self.do(faults.cross_cancel(self.play, _one(self.play.some(*LEGACY), pick), server))

    @_when(lambda self: self.held(*KINDS))
    @rule(pick=some)
    def answer_and_cancellation_cross(self, pick: int) -> None:
        self.do(faults.cross_release(self.play, _one(self.held(*KINDS), pick)))

    @_when(lambda self: self.droppable())
    @rule(pick=some)
    def answer_and_loss_cross(self, pick: int) -> None:
        self.do(faults.cross_drop(self.play, _one(self.droppable(), pick)))

    def droppable(self) -> list[Call]:
        """Return the calls that are held, with an event id to resume after."""
        return [call for call in self.held("http") if streams.can_resume(call)]

    @_when(lambda self: self.play.some("http", "json"))
    @rule(pick=some, server=servers)
    def call_and_farewell_cross(self, pick: int, server: Any) -> None:
        client = _one(self.play.some("http", "json"), pick)
        self.do(faults.cross_delete(self.play, client, server))

    @_when(lambda self: self.subscribers() and len(self.play.some(*LEGACY)) > 1)
    @rule(pick=some, other=some, which=some)
    def subscriptions_cross(self, pick: int, other: int, which: int) -> None:
        one = _one(self.subscribers(), pick)
        uri = _one(sorted(one.subscribed), which)
        others = [each for each in self.play.some(*LEGACY) if each is not one]
        self.do(faults.cross_subscriptions(self.play, one, _one(others, other), uri))

    def subscribers(self) -> list[Client]:
        """Return the legacy clients that want to hear of a resource."""
        return [each for each in self.play.some(*LEGACY) if each.subscribed]


def _one(choices: list[T], pick: int) -> T:
    return choices[pick % len(choices)]
