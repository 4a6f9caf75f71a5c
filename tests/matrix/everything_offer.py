"""What the everything server lists: tools, prompts, resources and templates, as plain JSON.

Two servers offer all of this under the same names, so every name collides; what they answer says
which of the two it was.
"""

from typing import Any

JSONObject = dict[str, Any]

ICONS = [{"src": "https://icons.example/a.png", "mimeType": "image/png", "sizes": ["48x48"]}]
APP_URI = "ui://app/view.html"
APP_TYPE = "text/html;profile=mcp-app"
ANYTHING: JSONObject = {"type": "object"}


def _tool(name: str, **more: Any) -> JSONObject:
    return {"name": name, "inputSchema": ANYTHING, **more}


FANCY: JSONObject = {
    "name": "fancy",
    "title": "A fancy tool 도구",
    "description": "Carries every field that a tool can have, and some that none has yet.",
    "icons": [*ICONS, {"src": "data:image/svg+xml;base64,PHN2Zy8+", "theme": "dark"}],
    "annotations": {
        "title": "Fancy, annotated",
        "readOnlyHint": True,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": False,
        "vendorHint": {"deep": [1, 2.5, None]},
    },
    "inputSchema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"next": {"$ref": "#/$defs/node"}, "value": {"type": "integer"}},
            }
        },
        "properties": {
            "head": {"$ref": "#/$defs/node"},
            "choice": {"anyOf": [{"const": "a"}, {"type": "null"}], "default": None},
        },
        "additionalProperties": False,
        "x-vendor": {"kept": True},
    },
    "outputSchema": {
        "type": "object",
        "$defs": {"leaf": {"type": "string", "minLength": 1}},
        "properties": {"leaves": {"type": "array", "items": {"$ref": "#/$defs/leaf"}}},
        "required": ["leaves"],
    },
    "_meta": {"example.com/kept": {"nested": ["yes", 1]}, "traceable": True},
    "execution": {"taskSupport": "forbidden"},
    "x-unknown": {"later": "versions"},
}
STRUCTURED = _tool(
    "structured",
    outputSchema={
        "type": "object",
        "properties": {"server": {"type": "string"}, "numbers": {"type": "array"}},
        "required": ["server", "numbers"],
    },
)
MIRRORED: JSONObject = {
    "name": "mirrored",
    "inputSchema": {
        "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    },
}
APP: JSONObject = _tool(
    "app", _meta={"ui": {"resourceUri": APP_URI, "visibility": ["model", "app"]}}
)
TASK_SUPPORT = {"slow": "optional", "task_only": "required"}
TASK_TOOLS = [
    _tool(name, execution={"taskSupport": support}) for name, support in TASK_SUPPORT.items()
]
PLAIN_TOOLS = (
    *("echo", "failing", "fault", "image", "audio", "embedded", "linked", "odd"),
    *("progress", "logging", "hang", "await_cancel", "ask_first", "ask_midway", "ask_url"),
    *("announce_url", "sample", "roots", "await_roots", "touch", "add", "drop"),
    *("open_gate", "await_gate", "stepwise", "in_turn", "announce", "await_note"),
    *("switch_on", "end_session"),
)
TOOLS: list[JSONObject] = [
    *(FANCY, STRUCTURED, MIRRORED, APP, *TASK_TOOLS),
    *(_tool(each) for each in PLAIN_TOOLS),
]

TEXT_URI = "test://text"
BLOB_URI = "test://blob"
WATCHED_URI = "test://watched"
RESOURCES: list[JSONObject] = [
    {
        "uri": TEXT_URI,
        "name": "text",
        "title": "A text",
        "description": "Says whose it is.",
        "mimeType": "text/plain",
        "size": 11,
        "icons": ICONS,
        "annotations": {
            "audience": ["user"],
            "priority": 0.5,
            "lastModified": "2026-01-01T00:00:00Z",
        },
        "_meta": {"example.com/kept": True},
        "x-unknown": [1],
    },
    {"uri": BLOB_URI, "name": "blob", "mimeType": "application/octet-stream"},
    {"uri": WATCHED_URI, "name": "watched", "mimeType": "text/plain"},
    {"uri": APP_URI, "name": "app", "mimeType": APP_TYPE},
    *({"uri": f"test://page/{number}", "name": f"page {number}"} for number in range(5)),
]
TEMPLATES: list[JSONObject] = [
    {
        "uriTemplate": "test://item/{id}",
        "name": "item",
        "title": "An item",
        "description": "Any item by its id.",
        "mimeType": "text/plain",
        "icons": ICONS,
        "annotations": {"audience": ["assistant"], "priority": 1},
        "_meta": {"example.com/kept": 1},
    },
    {"uriTemplate": "test://{+path}/end", "name": "path"},
]
PROMPTS: list[JSONObject] = [
    {
        "name": "greet",
        "title": "A greeting",
        "description": "Greets by name.",
        "icons": ICONS,
        "arguments": [
            {"name": "who", "title": "Who", "description": "Whom to greet.", "required": True}
        ],
        "_meta": {"example.com/kept": "prompt"},
    },
    {"name": "attached", "description": "Carries a resource."},
    *({"name": f"page-{number}"} for number in range(5)),
]
LISTED: dict[str, list[JSONObject]] = {
    "tools": TOOLS,
    "prompts": PROMPTS,
    "resources": RESOURCES,
    "resourceTemplates": TEMPLATES,
}
NAME_FORM: JSONObject = {
    "mode": "form",
    "message": "What is your name?",
    "requestedSchema": {
        "type": "object",
        "properties": {"name": {"type": "string", "title": "Name", "minLength": 1}},
        "required": ["name"],
    },
}
AGE_FORM: JSONObject = {
    "mode": "form",
    "message": "How old are you?",
    "requestedSchema": {"type": "object", "properties": {"age": {"type": "integer"}}},
}
TASKS_EXTENSION = "io.modelcontextprotocol/tasks"
RELATED = "io.modelcontextprotocol/related-task"
SKILLED = "two"
"""The only server that knows the methods of a family from the future."""


def capabilities(era: str, server: str) -> JSONObject:
    """Return what a server of an era says it can do; both name families that nobody knows yet."""
    future: JSONObject = {"example.com/notes": {}}
    if server == SKILLED:
        future["example.com/skills"] = {"kept": [1]}
    all_eras: JSONObject = {
        "tools": {"listChanged": True},
        "prompts": {"listChanged": True},
        "resources": {"listChanged": True, "subscribe": True},
        "completions": {},
        "logging": {},
    }
    thing, ui = {"example.com/thing": {"on": True}}, {"io.modelcontextprotocol/ui": {}}
    if era == "modern":
        extensions = {**ui, **future, TASKS_EXTENSION: {}}
        return {**all_eras, "experimental": thing, "extensions": extensions}
    tasks: JSONObject = {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}
    return {**all_eras, "experimental": {**thing, **future}, "extensions": ui, "tasks": tasks}


INSTRUCTIONS = "Call any tool."
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="


def app_html(server: str) -> str:
    """Return the page of a server's MCP App."""
    return f"<!doctype html><title>{server}</title>"
