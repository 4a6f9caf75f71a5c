"""An MCP server over stdio with a tool for each thing that the playground shows; standard library only."""

import asyncio
import base64
import json
import math
import struct
import sys
import zlib
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

JSONObject = dict[str, Any]
STEPS = 4
STEP_SECONDS = 0.15
GUIDE, BOARD = "trip://guides/seoul", "ui://trips/board"

FORECAST = [("Seoul", 21.5, "clear"), ("Busan", 23.0, "clouds"), ("Jeju", 19.0, "rain")]
GUIDE_TEXT = (
    "# Seoul\n\nStart at **Gwanghwamun**, then walk to [Bukchon](https://example.com/bukchon)."
)
BOARD_PAGE = """<!doctype html><html><body style="font:14px system-ui;margin:16px">
<h1 style="font-size:16px">Departures</h1><p id="told">Waiting for the tool.</p>
<script>
const say = (message) => parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
addEventListener("message", ({ data }) => {
  if (data.id === 1) say({ method: "ui/notifications/initialized" });
  if (data.method === "ui/notifications/tool-result")
    document.getElementById("told").textContent = data.params.content[0].text;
});
const params = { protocolVersion: "2026-01-26", appInfo: { name: "board", version: "1" },
  appCapabilities: {} };
say({ id: 1, method: "ui/initialize", params });
say({ method: "ui/notifications/size-changed", params: { height: 130 } });
</script></body></html>"""


def text(words: str, **more: Any) -> JSONObject:
    """Make a result of words."""
    return {"content": [{"type": "text", "text": words}], **more}


class Call:
    """One call under way: what its tool may say and ask meanwhile."""

    def __init__(self, server: "Server", token: Any, arguments: JSONObject) -> None:
        self.arguments = arguments
        self.server = server
        self._token = token

    def progress(self, done: int, total: int, message: str) -> None:
        """Tell how far it is."""
        params = {"progressToken": self._token, "progress": done, "total": total}
        if self._token is not None:
            self.server.send(method="notifications/progress", params={**params, "message": message})

    def log(self, level: str, data: Any) -> None:
        """Log a line."""
        params = {"level": level, "logger": "trips", "data": data}
        self.server.send(method="notifications/message", params=params)


async def forecast(call: Call) -> JSONObject:
    """Return a table for people and the same for programs."""
    days = call.arguments.get("days", 3)
    rows = "\n".join(f"| {city} | {degrees} °C | {sky} |" for city, degrees, sky in FORECAST)
    table = f"### The next {days} days\n\n| City | Highest | Sky |\n| --- | --- | --- |\n{rows}"
    cities = [{"city": city, "celsius": degrees, "sky": sky} for city, degrees, sky in FORECAST]
    return text(table, structuredContent={"days": days, "cities": cities})


async def book(call: Call) -> JSONObject:
    """Ask who travels, and confirm."""
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "title": "Name", "description": "As in the passport."},
            "seat": {"type": "string", "title": "Seat", "enum": ["window", "aisle"]},
            "insured": {"type": "boolean", "title": "With insurance", "default": False},
        },
        "required": ["name"],
    }
    question = {"message": "Who travels?", "requestedSchema": schema}
    answer = await call.server.ask("elicitation/create", question)
    if answer["action"] != "accept":
        return text("Nothing was booked.", isError=True)
    city, name = call.arguments["city"], answer["content"]["name"]
    return text(f"Booked {city} for {name}.")


async def slogan(call: Call) -> JSONObject:
    """Let the client's model find words."""
    words = f"A slogan for {call.arguments['city']}, please."
    messages = [{"role": "user", "content": {"type": "text", "text": words}}]
    params = {"messages": messages, "systemPrompt": "Be brief.", "maxTokens": 40}
    answer = await call.server.ask("sampling/createMessage", params)
    return text(f"The model says: {answer['content']['text']}")


async def search(call: Call) -> JSONObject:
    """Work in steps, and tell of them."""
    for step in range(1, STEPS + 1):
        call.progress(step, STEPS, f"Asking airline {step}")
        call.log("info" if step < STEPS else "warning", {"airline": step, "fares": step * 7})
        await asyncio.sleep(STEP_SECONDS)
    return text(f"Found {7 * STEPS} fares.")


async def wait(call: Call) -> JSONObject:
    """Never end by itself."""
    call.progress(1, 3, "Waiting for a seat")
    await asyncio.Event().wait()
    return text("Unreachable.")


async def media(_call: Call) -> JSONObject:
    """Return a picture, a sound, and a link."""
    link = {"type": "resource_link", "uri": GUIDE, "name": "Guide", "mimeType": "text/markdown"}
    return {
        "content": [
            {"type": "image", "data": _png(360, 200), "mimeType": "image/png"},
            {"type": "audio", "data": _wav(0.2), "mimeType": "audio/wav"},
            link,
        ]
    }


async def departures(_call: Call) -> JSONObject:
    """Return words that the board shows."""
    return text("KE 901 leaves at 13:05 from gate 24.")


async def cancel_all(_call: Call) -> JSONObject:
    """Fail as tools do."""
    return text("Nobody may cancel all trips.", isError=True)


def _tool(name: str, title: str, description: str, **properties: JSONObject) -> JSONObject:
    required = [each for each, schema in properties.items() if schema.pop("needed", False)]
    schema = {"type": "object", "properties": properties, "required": required}
    return {"name": name, "title": title, "description": description, "inputSchema": schema}


CITY: JSONObject = {"type": "string", "description": "Where to.", "examples": ["Seoul"]}
CELSIUS = {"city": {"type": "string"}, "celsius": {"type": "number"}, "sky": {"type": "string"}}
TOOLS: list[tuple[JSONObject, Callable[[Call], Coroutine[Any, Any, JSONObject]]]] = [
    (
        {
            **_tool(
                "forecast",
                "Weather forecast",
                "Tells the weather of the next days, city by city.",
                days={"type": "integer", "minimum": 1, "maximum": 14, "default": 3},
                units={"type": "string", "enum": ["celsius", "fahrenheit"]},
                cities={"type": "array", "items": {"type": "string"}},
            ),
            "annotations": {"readOnlyHint": True, "openWorldHint": True},
            "outputSchema": {
                "type": "object",
                "properties": {
                    "days": {"type": "integer"},
                    "cities": {
                        "type": "array",
                        "items": {"type": "object", "properties": CELSIUS, "required": ["city"]},
                    },
                },
                "required": ["days", "cities"],
            },
        },
        forecast,
    ),
    (
        _tool(
            "book",
            "Book a trip",
            "Books a trip; asks who travels.",
            city={**CITY, "needed": True},
            nights={"type": "integer", "minimum": 1, "default": 2},
        ),
        book,
    ),
    (
        _tool("slogan", "Slogan", "Lets a model praise a city.", city={**CITY, "needed": True}),
        slogan,
    ),
    (_tool("search", "Search fares", "Asks some airlines, one after another."), search),
    (_tool("wait", "Wait for a seat", "Waits until it is cancelled."), wait),
    (_tool("media", "Postcard", "Returns a picture, a sound and a guide."), media),
    (
        {
            **_tool("departures", "Departures", "Shows a board."),
            "_meta": {"ui": {"resourceUri": BOARD}},
        },
        departures,
    ),
    (_tool("cancel_all", "Cancel all trips", "Always fails."), cancel_all),
]
PAGES = {
    GUIDE: {"uri": GUIDE, "mimeType": "text/markdown", "text": GUIDE_TEXT},
    BOARD: {"uri": BOARD, "mimeType": "text/html;profile=mcp-app", "text": BOARD_PAGE},
}


class Server:
    """One session of the legacy era over stdio."""

    def __init__(self) -> None:
        self._running: dict[Any, asyncio.Task[None]] = {}
        self._asked: dict[str, asyncio.Future[JSONObject]] = {}
        self._ids = count(1)

    def send(self, **message: Any) -> None:
        """Write one message."""
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()

    async def ask(self, method: str, params: JSONObject) -> JSONObject:
        """Ask the client, and wait for its answer."""
        asked = f"ask-{next(self._ids)}"
        self._asked[asked] = asyncio.get_running_loop().create_future()
        self.send(id=asked, method=method, params=params)
        return await self._asked[asked]

    def take(self, message: JSONObject) -> None:
        """Take a message of the client."""
        method, params = message.get("method"), message.get("params") or {}
        if method is None:
            self._asked.pop(message["id"]).set_result(message.get("result") or {"action": "cancel"})
        elif method == "tools/call":
            task = asyncio.create_task(self._call(message["id"], params))
            self._running[message["id"]] = task
        elif method == "notifications/cancelled" and params["requestId"] in self._running:
            self._running[params["requestId"]].cancel()
        elif "id" in message:
            self._answer(message["id"], method, params)

    def _answer(self, request: Any, method: str, params: JSONObject) -> None:
        results: dict[str, JSONObject] = {
            "initialize": {
                "protocolVersion": params.get("protocolVersion", "2025-11-25"),
                "capabilities": {"tools": {}, "resources": {}, "logging": {}},
                "serverInfo": {"name": "trips", "version": "1.0.0"},
            },
            "tools/list": {"tools": [tool for tool, _ in TOOLS]},
            "resources/list": {"resources": [{"uri": uri, "name": uri} for uri in PAGES]},
            "resources/templates/list": {"resourceTemplates": []},
            "resources/read": {"contents": [PAGES.get(params.get("uri", ""), {})]},
            "ping": {},
            "logging/setLevel": {},
        }
        if method in results:
            self.send(id=request, result=results[method])
        else:
            self.send(id=request, error={"code": -32601, "message": f"Method not found: {method}"})

    async def _call(self, request: Any, params: JSONObject) -> None:
        token = (params.get("_meta") or {}).get("progressToken")
        work = next(work for tool, work in TOOLS if tool["name"] == params["name"])
        try:
            result = await work(Call(self, token, params.get("arguments") or {}))
        finally:
            del self._running[request]
        self.send(id=request, result=result)


def _png(width: int, height: int) -> str:
    """Draw hills beneath an evening sky."""

    def pixel(x: int, y: int) -> bytes:
        far = height * (0.62 + 0.1 * math.sin(x / 38))
        near = height * (0.78 + 0.07 * math.sin(x / 21 + 2))
        if (x - width * 0.7) ** 2 + (y - height * 0.34) ** 2 < (height * 0.13) ** 2:
            return bytes((255, 214, 130))
        if y > near:
            return bytes((32, 44, 84))
        if y > far:
            return bytes((64, 78, 138))
        share = y / height
        return bytes((int(90 + 150 * share), int(110 + 50 * share), int(190 - 40 * share)))

    rows = b"".join(b"\0" + b"".join(pixel(x, y) for x in range(width)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).decode()


def _wav(seconds: float) -> str:
    """Make a short tone."""
    rate = 8000
    tone = bytes(
        int(128 + 60 * math.sin(i / rate * 880 * math.tau)) for i in range(int(rate * seconds))
    )
    form = struct.pack("<HHIIHH", 1, 1, rate, rate, 1, 8)
    body = (
        b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(tone)) + tone
    )
    return base64.b64encode(b"RIFF" + struct.pack("<I", len(body)) + body).decode()


async def main() -> None:
    """Serve until the input ends."""
    reader = asyncio.StreamReader(limit=1024 * 1024)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    server = Server()
    while line := await reader.readline():
        server.take(json.loads(line))


if __name__ == "__main__":
    asyncio.run(main())
