"""The everything server with more tools, whose every message carries the caller's own word."""

import asyncio
import random

from everything_call import Call
from everything_offer import LISTED, JSONObject
from everything_server import main
from everything_tools import TOOLS, told

SCHEMA: JSONObject = {"type": "object", "properties": {"word": {"type": "string"}}}
LONGEST_PAUSE = 0.01  # seconds
ECHOES: list[asyncio.Task[None]] = []


async def sing(call: Call) -> JSONObject:
    """Tell of four steps, ask twice in between if wanted, update a resource, and end or hang."""
    word, wanted = call.arguments["word"], call.arguments
    await _steps(call, word, (1, 2))
    answers = [await _elicit(call, word), await _sample(call, word)] if wanted.get("ask") else []
    if wanted.get("hang"):
        await asyncio.Event().wait()
    await _steps(call, word, (3, 4))
    if "touch" in wanted and call.is_live:
        call.world.touch(wanted["touch"])
    return told(word=word, answers=answers)


async def _steps(call: Call, word: str, steps: tuple[int, ...]) -> None:
    for step in steps:
        if "progressToken" in call.meta:
            call.notify(
                "notifications/progress",
                progressToken=call.meta["progressToken"],
                progress=step,
                message=word,
            )
        call.log("info", {"word": word, "step": step})
        # Others shall come in between, in another order each time.
        await asyncio.sleep(random.uniform(0, LONGEST_PAUSE))  # noqa: S311 no secret


async def _elicit(call: Call, word: str) -> JSONObject:
    question: JSONObject = {"mode": "form", "message": word, "requestedSchema": SCHEMA}
    return await call.ask("elicitation/create", question)


async def _sample(call: Call, word: str) -> JSONObject:
    said: JSONObject = {"role": "user", "content": {"type": "text", "text": word}}
    return await call.ask("sampling/createMessage", {"messages": [said], "maxTokens": 9})


async def hum(call: Call) -> JSONObject:
    """Log, tell of progress, and end when the gate opens."""
    call.log("info", {"word": call.arguments["word"], "step": 1})
    call.progress(1, 1)
    await call.world.cancelled[call.arguments["gate"]].wait()
    return told(word=call.arguments["word"])


async def chirp(call: Call) -> JSONObject:
    """Log, and open the gate if there is one."""
    call.log("info", {"word": call.arguments["word"], "step": 1})
    if "gate" in call.arguments:
        call.world.cancelled[call.arguments["gate"]].set()
    return told(word=call.arguments["word"])


async def echo_later(call: Call) -> JSONObject:
    """Answer at once, and log when the gate opens."""
    gate = call.world.cancelled[call.arguments["gate"]]

    async def echo() -> None:
        await gate.wait()
        call.log("info", {"word": call.arguments["word"], "step": 1})
        call.world.cancelled[f"{call.arguments['gate']}, echoed"].set()

    ECHOES.append(asyncio.create_task(echo()))
    return told(word=call.arguments["word"])


async def await_echo(call: Call) -> JSONObject:
    """Open the gate, and end once the echo was heard."""
    call.world.cancelled[call.arguments["gate"]].set()
    await call.world.cancelled[f"{call.arguments['gate']}, echoed"].wait()
    return told(word=call.arguments["word"])


if __name__ == "__main__":
    for tool in (sing, hum, chirp, echo_later, await_echo):
        TOOLS[tool.__name__] = tool
        LISTED["tools"].append({"name": tool.__name__, "inputSchema": {"type": "object"}})
    main()
