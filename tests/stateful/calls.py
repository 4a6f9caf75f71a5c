"""What clients do with calls: make them, answer and repeat them, and give them up."""

from dataclasses import replace

from tests.stateful.model import Call, Channel, Client
from tests.stateful.play import Play
from tests.stateful.stage import Server
from tests.stateful.wire import JSONObject

WRONG_WAYS = ("tampered", "longer", "other tool", "other arguments", "other principal")


async def start(
    play: Play, client: Client, server: Server, steps: tuple[str, ...], *, has_token: bool
) -> Call:
    """Make a call and see it come to where it waits, or ends."""
    call = begin(play, client, server, steps, has_token=has_token)
    play.advance(call)
    await play.settle()
    return call


def begin(
    play: Play, client: Client, server: Server, steps: tuple[str, ...], *, has_token: bool
) -> Call:
    """Send a call."""
    number = client.next_id()
    call = Call(client, server, number, play.new_tag(), steps, client.main, has_token=has_token)
    call.began_with_token = has_token
    client.calls.append(call)
    _send(play, call)
    return call


def _send(play: Play, call: Call, **more: object) -> None:
    client = call.client
    params = params_of(call, **more)
    call.exchange = play.send(client, call.id, "tools/call", params)
    if client.kind != "sse":
        call.channel = Channel(call.exchange.label)


def params_of(call: Call, **more: object) -> JSONObject:
    """Return what a call sends."""
    arguments = {"tag": call.tag, "steps": list(call.steps)}
    name = f"{call.server.name}__{call.tool}"
    params: JSONObject = {"name": name, "arguments": arguments, **more}
    if call.has_token:
        params["_meta"] = {"progressToken": call.token}
    return params


async def release(play: Play, call: Call) -> None:
    """Let a call that is held go on."""
    let_go(play, call)
    await play.settle()


def let_go(play: Play, call: Call) -> None:
    """Open the gate at which a call is held."""
    gate = call.gate
    waiting = [each for each in play.in_state("held") if each.gate == gate]
    play.released.add(gate)
    play.director.release(gate)
    for each in waiting:
        each.position += 1
        play.advance(each)
        if each is not call and each.state == "asking" and not each.server.is_modern:
            # Both were asked the same; what one answers, the other cannot answer any more.
            each.state = "abandoned"


async def answer(play: Play, call: Call, how: str) -> None:
    """Answer the question of a call: `accept` it, `decline` it, or `refuse` it with an error."""
    reply(play, call, how)
    predict_answered(play, call, how)
    await play.settle()


async def answer_twice(play: Play, call: Call, how: str) -> None:
    """Answer a question, and once more in another way: the first answer counts."""
    twin = replace(call)
    reply(play, call, how)
    first = play.told[-1]
    await play.stage.until(lambda: first.is_over, "the first answer was taken")
    reply(play, twin, "refuse")
    predict_answered(play, call, how)
    await play.settle()


def reply(play: Play, call: Call, how: str) -> None:
    """Send the answer to the question that a legacy client was asked."""
    answered: JSONObject = {"jsonrpc": "2.0", "id": question_id(call)}
    if how == "refuse":
        answered["error"] = {"code": -1, "message": "No."}
    else:
        answered["result"] = _answered(call, how)
    play.tell(call.client, answered)


def question_id(call: Call) -> int:
    """Return the id of the last question that a legacy client was asked in a call."""
    number = _heard_question(call)
    assert number is not None, f"The question of {call.tag} was not heard."
    return number


def _heard_question(call: Call) -> int | None:
    wanted = call.gate
    found = (
        seen.message["id"]
        for seen in reversed(call.client.wire.seen)
        if seen.message.get("method") == "elicitation/create"
        if seen.message["params"]["message"] == wanted
    )
    return next(found, None)


def _answered(call: Call, how: str) -> JSONObject:
    return (
        {"action": how, "content": {"value": value_of(call)}}
        if how == "accept"
        else {"action": how}
    )


def value_of(call: Call) -> str:
    """Return what a client answers; no two answers are equal."""
    return f"v{call.gate}"


def predict_answered(play: Play, call: Call, how: str) -> None:
    """Predict what follows from an answer."""
    if how == "refuse":
        play.finish(call, "error")
        return
    call.answers.append(value_of(call) if how == "accept" else how)
    call.position += 1
    play.advance(call)


async def retry(play: Play, call: Call, how: str, *, has_token: bool) -> None:
    """Repeat a modern client's call with the answer to what it was asked."""
    asked = last_asked(call)
    responses = {key: _answered(call, how) for key in asked["inputRequests"]}
    send_again(play, call, asked, responses, has_token=has_token)
    predict_answered(play, call, how)
    await play.settle()


async def retry_without_answers(play: Play, call: Call) -> None:
    """Repeat a call without an answer: the same is asked again."""
    send_again(play, call, last_asked(call), {}, has_token=call.has_token)
    if call.server.is_modern:
        play.replay(call)
    else:
        play.advance(call)
    await play.settle()


def send_again(
    play: Play, call: Call, asked: JSONObject, responses: JSONObject, *, has_token: bool
) -> None:
    call.id, call.has_token = call.client.next_id(), has_token
    call.retried = {"requestState": asked["requestState"], "inputResponses": responses}
    _send(play, call, **call.retried)


def last_asked(call: Call) -> JSONObject:
    """Return the result that asks a modern client for input."""
    return next(
        seen.message["result"]
        for seen in reversed(call.client.wire.seen)
        if seen.message.get("id") == call.id
        if seen.message.get("result", {}).get("resultType") == "input_required"
    )


async def retry_wrongly(play: Play, call: Call, how: str) -> None:
    """Try to take up a parked call that is not one's own, or with a state that was changed."""
    asked = last_asked(call)
    client = await _stranger(play, call) if how == "other principal" else call.client
    other = replace(call, client=client, id=client.next_id())
    state: str = asked["requestState"]
    if how == "tampered":
        state = state[:20] + ("A" if state[20] != "A" else "B") + state[21:]
    elif how == "longer":
        state += "="
    elif how == "other tool":
        other.tool = "other"
    elif how == "other arguments":
        other.steps = (*call.steps, "progress")
    responses = {key: _answered(call, "accept") for key in asked["inputRequests"]}
    _send(play, other, requestState=state, inputResponses=responses)
    play.finish(other, "error")
    await play.settle()


async def _stranger(play: Play, call: Call) -> Client:
    who = "b" if call.client.who == "a" else "a"
    return await play.open_client("modern", who, can_answer=True, is_loud=False)


async def retry_twice(play: Play, call: Call) -> None:
    """Send a retry once more while it is waited for: both are answered, the later one hears all."""
    twin = replace(call, id=call.client.next_id(), has_token=False, answers=list(call.answers))
    call.client.calls.append(twin)
    call.is_muted = not call.server.is_modern
    before = _hearers(play)
    _send(play, twin, **call.retried)
    if call.server.is_modern:
        play.replay(twin)
    else:
        await play.stage.until_true(lambda: _hearers(play) != before, lambda: "both wait")
    await play.settle()


def _hearers(play: Play) -> set[int]:
    """Return which requests hear of the parked calls."""
    return {id(parked._caller) for parked in play.stage.plane.parking._calls.values()}


async def cancel(play: Play, call: Call) -> None:
    """Give a call up, as clients of its era do."""
    client = call.client
    predict_cancelled(call)
    if client.is_modern:
        await call.exchange.leave()
    else:
        play.notify(client, "notifications/cancelled", {"requestId": call.id})
    await play.settle()


def predict_cancelled(call: Call) -> None:
    """Predict that a call ends without an answer, and what was asked in it is withdrawn."""
    if call.state == "asking" and call.asked_on is not None and not call.is_asked_apart:
        call.client.owe(call.asked_on, ("withdrawn", call.gate), call.id)
    call.client.doubt(call)
    call.state = "cancelled"


async def reuse_id(play: Play, call: Call) -> None:
    """Make another call under the id of one that runs: it is refused."""
    client = call.client
    exchange = play.send(client, call.id, "tools/call", params_of(call))
    client.owe(Channel(exchange.label), ("answer", call.id, "error"), "reused")
    await play.settle()


async def meddle(play: Play, call: Call, stranger: Client) -> None:
    """Let another client cancel and answer under ids that are not its own: nothing happens."""
    if all(call.id != each.id for each in stranger.calls if each.is_live):
        play.notify(stranger, "notifications/cancelled", {"requestId": call.id})
    result = {"action": "accept", "content": {"value": "meddled"}}
    asked = {_heard_question(each) for each in stranger.calls if each.state == "asking"}
    number = _heard_question(call) if call.state == "asking" else None
    if number is not None and not {number, None} & asked:
        play.tell(stranger, {"jsonrpc": "2.0", "id": number, "result": result})
    play.tell(stranger, {"jsonrpc": "2.0", "id": 999_999, "result": result})
    await play.settle()
