"""The fixture's tools that need nothing from the client: content, failures, notifications."""

import anyio
import mcp_types as types
from fixture_call import Call, FixtureTool, JsonObject, ToolAnswer, ToolError, Toolset, text_result
from fixture_content import PNG, WAV

TOOLS = Toolset()

PAUSE = 0.05
"""Seconds between the notifications of one call, so that they cannot be mistaken for a batch."""

JSON_SCHEMA_2020_12: JsonObject = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


@TOOLS.tool("Returns a line of text.")
async def test_simple_text(call: Call) -> ToolAnswer:
    return text_result("This is a simple text response for testing.")


@TOOLS.tool("Returns an image.")
async def test_image_content(call: Call) -> ToolAnswer:
    return types.CallToolResult(content=[types.ImageContent(data=PNG, mime_type="image/png")])


@TOOLS.tool("Returns a sound.")
async def test_audio_content(call: Call) -> ToolAnswer:
    return types.CallToolResult(content=[types.AudioContent(data=WAV, mime_type="audio/wav")])


@TOOLS.tool("Returns a resource.")
async def test_embedded_resource(call: Call) -> ToolAnswer:
    resource = types.TextResourceContents(
        uri="test://embedded-resource",
        mime_type="text/plain",
        text="This is an embedded resource content.",
    )
    return types.CallToolResult(content=[types.EmbeddedResource(resource=resource)])


@TOOLS.tool("Returns text, an image and a resource.")
async def test_multiple_content_types(call: Call) -> ToolAnswer:
    resource = types.TextResourceContents(
        uri="test://mixed-content-resource",
        mime_type="application/json",
        text='{"test":"data","value":123}',
    )
    return types.CallToolResult(
        content=[
            types.TextContent(text="Multiple content types test:"),
            types.ImageContent(data=PNG, mime_type="image/png"),
            types.EmbeddedResource(resource=resource),
        ]
    )


@TOOLS.tool(
    "Returns a sum as text and as structured content.",
    schema={
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
    output_schema={
        "type": "object",
        "properties": {"sum": {"type": "integer"}},
        "required": ["sum"],
    },
)
async def test_structured_content(call: Call) -> ToolAnswer:
    total = call.arguments["a"] + call.arguments["b"]
    return types.CallToolResult(
        content=[types.TextContent(text=str(total))], structured_content={"sum": total}
    )


@TOOLS.tool("Fails every time.")
async def test_error_handling(call: Call) -> ToolAnswer:
    raise ToolError("This tool intentionally returns an error for testing")


@TOOLS.tool("Sends three log messages while it works.")
async def test_tool_with_logging(call: Call) -> ToolAnswer:
    await call.log("Tool execution started")
    await anyio.sleep(PAUSE)
    await call.log("Tool processing data")
    await anyio.sleep(PAUSE)
    await call.log("Tool execution completed")
    return text_result("Tool with logging executed successfully")


@TOOLS.tool("Sends one log message.")
async def test_logging_tool(call: Call) -> ToolAnswer:
    await call.log("Logged by the tool")
    return text_result("Logged once")


@TOOLS.tool("Reports its progress three times.")
async def test_tool_with_progress(call: Call) -> ToolAnswer:
    for progress in (0, 50, 100):
        await call.ctx.session.report_progress(progress, 100)
        await anyio.sleep(PAUSE)
    return text_result("Tool with progress executed successfully")


@TOOLS.tool(
    "Waits before it answers, and can be cancelled while it waits.",
    schema={
        "type": "object",
        "properties": {"seconds": {"type": "number"}},
        "required": ["seconds"],
    },
)
async def test_wait(call: Call) -> ToolAnswer:
    await anyio.sleep(call.arguments["seconds"])
    return text_result(f"Waited {call.arguments['seconds']} seconds")


@TOOLS.tool("Closes the stream of its call and answers on the one that the client resumes.")
async def test_reconnection(call: Call) -> ToolAnswer:
    if call.ctx.close_sse_stream is not None:
        await call.ctx.close_sse_stream()
    await anyio.sleep(PAUSE)
    return text_result("Reconnection test completed")


@TOOLS.tool("Lists one more tool, or hides it again.")
async def test_trigger_tool_change(call: Call) -> ToolAnswer:
    await call.state.toggle_extra_tool()
    return text_result("The list of tools changed")


@TOOLS.tool("Lists one more prompt, or hides it again.")
async def test_trigger_prompt_change(call: Call) -> ToolAnswer:
    await call.state.toggle_extra_prompt()
    return text_result("The list of prompts changed")


@TOOLS.tool("Announces that the watched resource changed.")
async def test_trigger_resource_change(call: Call) -> ToolAnswer:
    await call.state.resource_changed("test://watched-resource")
    return text_result("The watched resource changed")


@TOOLS.tool("Tool with JSON Schema 2020-12 features", schema=JSON_SCHEMA_2020_12)
async def json_schema_2020_12_tool(call: Call) -> ToolAnswer:
    return text_result(f"JSON Schema 2020-12 tool called with: {call.arguments}")


@TOOLS.tool(
    "Takes an argument that is mirrored in an HTTP header.",
    schema={
        "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
        "required": ["region"],
    },
)
async def test_header_argument(call: Call) -> ToolAnswer:
    return text_result(f"Region: {call.arguments['region']}")


EXTRA_TOOL = FixtureTool(
    types.Tool(
        name="test_extra_tool",
        description="A tool that comes and goes.",
        input_schema={"type": "object", "properties": {}},
    ),
    test_simple_text,
)
