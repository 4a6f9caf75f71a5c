import asyncio
import base64
import contextlib
import gc
import secrets
import time
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.errors import RPCError, TooMany, UpstreamUnavailable
from interlock.gateway.parking import MAX_UNHEARD, STATE_LIFETIME, ParkedCall, Parking, StateRefused
from interlock.protocol.json import JSONObject
from interlock.upstreams.port import Caller, Nobody
from tests.gateway.virtual_time import run

KEY = bytes(range(32))
BINDING = b"caller, place and arguments"
ELICIT = "elicitation/create"

Work = Callable[[Caller], Awaitable[JSONObject]]


class Ears(Nobody):
    """A client that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def notify(self, method: str, params: JSONObject) -> None:
        self.heard.append(method)


def parked(work: Work, binding: bytes = BINDING) -> ParkedCall:
    """Return a call under way whose server does `work`."""
    call = ParkedCall(binding)

    async def serve() -> JSONObject:
        return await work(call)

    call.work = asyncio.create_task(serve())
    return call


async def confirm(caller: Caller) -> JSONObject:
    return {"got": await caller.ask(ELICIT, {"message": "Sure?"})}


async def endless(_caller: Caller) -> JSONObject:
    return await asyncio.get_running_loop().create_future()


async def gone(call: ParkedCall) -> bool:
    """Wait for a call's end and tell whether it was cancelled."""
    assert call.work is not None
    await asyncio.wait({call.work})
    return call.work.cancelled()


def sealed() -> tuple[Parking, ParkedCall, str]:
    parking, call = Parking(KEY), ParkedCall(BINDING)
    parking.add(call)
    return parking, call, parking.seal(call)


def refused(parking: Parking, state: object, binding: bytes = BINDING) -> bool:
    with pytest.raises(StateRefused):
        parking.claim(state, binding)
    return True


def test_a_state_leads_back_to_its_call_any_number_of_times() -> None:
    parking, call, state = sealed()

    assert parking.claim(state, BINDING) is call
    assert parking.claim(state, BINDING) is call
    assert parking.claim(parking.seal(call), BINDING) is call


def test_a_state_tells_nothing_and_is_never_the_same() -> None:
    parking, call, state = sealed()
    others = {parking.seal(call) for _ in range(50)}

    assert len(others | {state}) == 51
    assert call.id.encode() not in base64.urlsafe_b64decode(state)


def test_a_state_with_any_byte_changed_is_refused() -> None:
    parking, _, state = sealed()
    content = base64.urlsafe_b64decode(state)
    for place in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            assert refused(parking, base64.urlsafe_b64encode(changed).decode())


def test_a_state_with_any_character_changed_is_refused() -> None:
    """Also where the character only holds bits that no byte is made of."""
    parking, _, state = sealed()
    for place, was in enumerate(state):
        for character in "ABCDwxyz0189-_+/= \n":
            if character != was:
                assert refused(parking, state[:place] + character + state[place + 1 :])


@pytest.mark.parametrize("length", range(24))
def test_a_state_is_refused_however_long_its_content_is(length: int) -> None:
    """Lengths differ in how many bits the last character leaves over."""
    parking, call = Parking(KEY), ParkedCall(BINDING)
    call.id = "x" * length
    parking.add(call)
    state = parking.seal(call)
    end = len(state.rstrip("=")) - 1
    for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        if character != state[end]:
            assert refused(parking, state[:end] + character + state[end + 1 :])


@pytest.mark.parametrize("more", ["A", "AAAA", "=", "====", "\n", " ", "!", "\0", "é"])
def test_a_state_with_something_added_is_refused(more: str) -> None:
    parking, _, state = sealed()

    assert refused(parking, state + more)
    assert refused(parking, more + state)
    assert refused(parking, state[:8] + more + state[8:])


def test_a_state_that_was_cut_is_refused() -> None:
    parking, _, state = sealed()

    assert all(refused(parking, state[:length]) for length in range(len(state)))


@settings(deadline=None)
@given(
    st.one_of(
        st.text(),
        st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()),
        st.integers(),
    )
)
def test_nothing_is_a_state_unless_we_sealed_it(state: object) -> None:
    parking, _, _ = sealed()

    assert refused(parking, state)


@pytest.mark.parametrize("state", [None, True, 1.5, [], {}, ["state"]])
def test_a_state_that_is_no_text_is_refused(state: object) -> None:
    parking, _, _ = sealed()

    assert refused(parking, state)


def test_a_state_is_refused_for_another_caller_or_request() -> None:
    parking, _, state = sealed()

    assert refused(parking, state, b"another")
    assert refused(parking, state, b"")


def test_a_state_of_another_gateways_key_is_refused() -> None:
    _, call, state = sealed()
    other = Parking(secrets.token_bytes(32))
    other.add(call)

    assert refused(other, state)


def test_a_state_is_refused_once_its_time_is_over() -> None:
    parking, call, _ = sealed()
    call.expires = time.time() - 1
    late = parking.seal(call)

    with pytest.raises(StateRefused, match="expired; send the call again without it"):
        parking.claim(late, BINDING)


def test_a_state_is_refused_once_its_call_is_over() -> None:
    parking, call, state = sealed()
    parking.remove(call)

    with pytest.raises(StateRefused, match="expired"):
        parking.claim(state, BINDING)


def test_a_refusal_repeats_nothing_of_the_state() -> None:
    parking, _, state = sealed()
    with pytest.raises(StateRefused) as refusal:
        parking.claim(state[:-8] + "AAAAAAAA", BINDING)

    assert state[:20] not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__


def test_a_call_that_asks_nothing_gives_its_result() -> None:
    async def work() -> None:
        async def at_once(_caller: Caller) -> JSONObject:
            return {"done": True}

        async def later(_caller: Caller) -> JSONObject:
            await asyncio.sleep(3)
            return {"done": "late"}

        assert await parked(at_once).next_result(Nobody()) == {"done": True}
        assert await parked(later).next_result(Nobody()) == {"done": "late"}

    run(work())


def test_a_question_becomes_a_result_and_its_answer_lets_the_call_go_on() -> None:
    async def work() -> None:
        call = parked(confirm)
        assert await call.next_result(Nobody()) is None
        assert call.input_required("sealed") == {
            "resultType": "input_required",
            "inputRequests": {"elicitation-1": {"method": ELICIT, "params": {"message": "Sure?"}}},
            "requestState": "sealed",
        }
        call.deliver({"elicitation-1": {"action": "accept"}})

        assert await call.next_result(Nobody()) == {"got": {"action": "accept"}}

    run(work())


def test_questions_asked_together_are_put_together_and_may_be_answered_one_by_one() -> None:
    async def both(caller: Caller) -> JSONObject:
        answers = await asyncio.gather(
            caller.ask(ELICIT, {"message": "One?"}), caller.ask("roots/list", {})
        )
        return {"got": answers}

    async def work() -> None:
        call = parked(both)
        assert await call.next_result(Nobody()) is None
        assert list(call.input_required("s")["inputRequests"]) == ["elicitation-1", "roots-2"]
        call.deliver({"roots-2": {"roots": []}})
        assert await call.next_result(Nobody()) is None
        assert list(call.input_required("s")["inputRequests"]) == ["elicitation-1"]
        call.deliver({"elicitation-1": {"action": "accept"}})

        assert await call.next_result(Nobody()) == {"got": [{"action": "accept"}, {"roots": []}]}

    run(work())


def test_questions_asked_one_after_the_other_have_keys_of_their_own() -> None:
    async def twice(caller: Caller) -> JSONObject:
        return {"got": [await caller.ask(ELICIT, {}), await caller.ask(ELICIT, {})]}

    async def work() -> None:
        call = parked(twice)
        for number in (1, 2):
            assert await call.next_result(Nobody()) is None
            key = f"elicitation-{number}"
            assert list(call.input_required("s")["inputRequests"]) == [key]
            call.deliver({key: {"is": number}})

        assert await call.next_result(Nobody()) == {"got": [{"is": 1}, {"is": 2}]}

    run(work())


def test_answers_that_fit_no_open_question_are_ignored() -> None:
    async def work() -> None:
        call = parked(confirm)
        assert await call.next_result(Nobody()) is None
        call.deliver({"elicitation-2": {"is": "foreign"}, "elicitation-1": "no object"})
        assert await call.next_result(Nobody()) is None
        call.deliver({"elicitation-1": {"is": "first"}})
        call.deliver({"elicitation-1": {"is": "second"}})

        assert await call.next_result(Nobody()) == {"got": {"is": "first"}}

    run(work())


def test_a_question_that_the_server_gives_up_is_not_put_to_the_client() -> None:
    async def impatient(caller: Caller) -> JSONObject:
        given_up = asyncio.create_task(caller.ask(ELICIT, {}))
        await asyncio.sleep(0)
        given_up.cancel()
        return {"got": await caller.ask("roots/list", {})}

    async def work() -> None:
        call = parked(impatient)
        assert await call.next_result(Nobody()) is None
        assert list(call.input_required("s")["inputRequests"]) == ["roots-2"]
        call.deliver({"roots-2": {}})
        assert await call.next_result(Nobody()) == {"got": {}}

    run(work())


def test_notifications_reach_the_request_that_waits_and_between_requests_the_next() -> None:
    async def talking(caller: Caller) -> JSONObject:
        caller.notify("first", {})
        answer = await caller.ask(ELICIT, {})
        caller.notify("second", {})
        return answer

    async def work() -> None:
        call, before, after = parked(talking), Ears(), Ears()
        assert await call.next_result(before) is None
        call.notify("between", {})
        call.deliver({"elicitation-1": {}})
        assert await call.next_result(after) == {}

        assert (before.heard, after.heard) == (["first"], ["between", "second"])

    run(work())


def test_of_what_comes_between_requests_the_newest_is_kept_and_all_of_it_told_once() -> None:
    async def work() -> None:
        call, ears, later = parked(confirm), Ears(), Ears()
        assert await call.next_result(Ears()) is None
        for number in range(MAX_UNHEARD + 1):
            call.notify(str(number), {})
        assert await call.next_result(ears) is None
        assert await call.next_result(later) is None

        kept = [str(number) for number in range(1, MAX_UNHEARD + 1)]
        assert (kept, []) == (ears.heard, later.heard)
        assert call.work is not None
        call.work.cancel()
        assert await gone(call)

    run(work())


def test_the_calls_error_is_the_clients_error() -> None:
    async def failing(_caller: Caller) -> JSONObject:
        raise RPCError(-7, "of the server")

    async def work() -> None:
        with pytest.raises(RPCError, match="of the server"):
            await parked(failing).next_result(Nobody())

    run(work())


def test_a_client_that_leaves_while_it_waits_cancels_the_call() -> None:
    async def work() -> None:
        call = parked(endless)
        waiting = asyncio.create_task(call.next_result(Nobody()))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.wait({waiting})

        assert waiting.cancelled()
        assert await gone(call)

    run(work())


def test_a_call_whose_client_does_not_come_back_is_cancelled_and_forgotten() -> None:
    async def work() -> None:
        parking, call, fresh = Parking(KEY), parked(confirm), parked(confirm)
        for each in (call, fresh):
            parking.add(each)
            assert await each.next_result(Nobody()) is None
        call.expires = time.time() - 1
        parking.expire()

        assert await gone(call)
        assert len(parking) == 1
        fresh.deliver({"elicitation-1": {}})
        assert await fresh.next_result(Nobody()) == {"got": {}}

    run(work())


def test_a_call_does_not_expire_while_its_client_waits_for_it() -> None:
    """A server may work for longer than a client may take to answer."""

    async def work() -> None:
        async def slow(_caller: Caller) -> JSONObject:
            await asyncio.sleep(STATE_LIFETIME * 3)
            return {"done": True}

        parking, call = Parking(KEY), parked(slow)
        parking.add(call)
        waiting = asyncio.create_task(call.next_result(Nobody()))
        await asyncio.sleep(STATE_LIFETIME * 2)
        call.expires = time.time() - 1
        parking.expire()

        assert await waiting == {"done": True}

    run(work())


def test_a_client_has_its_whole_time_from_the_moment_it_is_asked() -> None:
    """However long the server worked before."""

    async def slow(caller: Caller) -> JSONObject:
        await asyncio.sleep(3)
        return await confirm(caller)

    async def work() -> None:
        call = parked(slow)
        waiting = asyncio.create_task(call.next_result(Nobody()))
        await asyncio.sleep(1)
        call.expires = 0
        assert await waiting is None

        assert call.expires > time.time() + STATE_LIFETIME / 2

    run(work())


def test_the_failure_of_a_call_that_nobody_came_back_for_is_no_surprise() -> None:
    async def dying(caller: Caller) -> JSONObject:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(caller.ask(ELICIT, {}), 1)
        raise RPCError(-1, "the server died")

    async def leave(parking: Parking) -> None:
        call = parked(dying)
        parking.add(call)
        assert await call.next_result(Nobody()) is None
        assert not await gone(call)
        call.expires = time.time() - 1

    async def work() -> list[str]:
        surprises: list[str] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: surprises.append(context["message"])
        )
        parking = Parking(KEY)
        await leave(parking)
        parking.expire()
        assert len(parking) == 0
        await asyncio.sleep(1)
        gc.collect()
        return surprises

    assert run(work()) == []


def test_no_more_calls_are_parked_than_the_limit_and_one_that_ends_makes_room() -> None:
    parking = Parking(KEY, limit=1)
    first = ParkedCall(BINDING)
    parking.add(first)
    with pytest.raises(TooMany) as refusal:
        parking.add(ParkedCall(BINDING))
    parking.remove(first)
    parking.add(ParkedCall(BINDING))

    assert refusal.value.retry_after == 10
    assert len(parking) == 1


def test_closing_cancels_every_call_and_waits_for_its_end() -> None:
    async def work() -> None:
        parking, calls = Parking(KEY), [parked(confirm), parked(endless), ParkedCall(BINDING)]
        for call in calls:
            parking.add(call)
        await asyncio.sleep(1)
        await parking.close()

        assert len(parking) == 0
        assert [call.work.cancelled() for call in calls if call.work is not None] == [True, True]

    run(work())


def test_a_call_that_was_never_started_has_no_result() -> None:
    with pytest.raises(RPCError, match="never started"):
        run(ParkedCall(BINDING).next_result(Nobody()))


def test_calls_that_ended_without_their_clients_make_room_and_the_newest_outcomes_are_kept() -> (
    None
):
    async def dying(caller: Caller) -> JSONObject:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(caller.ask(ELICIT, {}), 1)
        raise UpstreamUnavailable("the server died")

    async def work() -> None:
        parking, states = Parking(KEY, limit=1), list[str]()
        for _ in range(2):
            call = parked(dying)
            assert call.work is not None
            call.work.add_done_callback(lambda _, call=call: parking.ended(call))
            parking.add(call)
            assert await call.next_result(Nobody()) is None
            states.append(parking.seal(call))
            assert not await gone(call)
            await asyncio.sleep(0)
            assert len(parking) == 0

        assert refused(parking, states[0])
        with pytest.raises(UpstreamUnavailable, match="the server died"):
            await parking.claim(states[1], BINDING).next_result(Nobody())

    run(work())
