"""The fixture's resources, prompts and completions, and the media that its tools return too."""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import mcp_types as types
from fixture_call import Call
from fixture_inputs import form

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC"
"""One red pixel."""

WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQIAAAAAAA=="
"""One silent sample."""

TEMPLATE = "test://template/{id}/data"
TEMPLATE_URI = re.compile(r"test://template/(?P<id>[^/]+)/data")
COMPLETIONS = ("paris", "park", "party")

TextOrBlob = types.TextResourceContents | types.BlobResourceContents

RESOURCES: dict[str, tuple[types.Resource, TextOrBlob]] = {
    listing.uri: (listing, contents)
    for listing, contents in (
        (
            types.Resource(
                uri="test://static-text",
                name="static-text",
                description="A text that never changes.",
                mime_type="text/plain",
            ),
            types.TextResourceContents(
                uri="test://static-text",
                mime_type="text/plain",
                text="This is the content of the static text resource.",
            ),
        ),
        (
            types.Resource(
                uri="test://static-binary",
                name="static-binary",
                description="An image that never changes.",
                mime_type="image/png",
            ),
            types.BlobResourceContents(uri="test://static-binary", mime_type="image/png", blob=PNG),
        ),
        (
            types.Resource(
                uri="test://watched-resource",
                name="watched-resource",
                description="A text whose changes are announced to its subscribers.",
                mime_type="text/plain",
            ),
            types.TextResourceContents(
                uri="test://watched-resource",
                mime_type="text/plain",
                text="This is the content of the watched resource.",
            ),
        ),
    )
}

TEMPLATES = [
    types.ResourceTemplate(
        uri_template=TEMPLATE,
        name="template-data",
        description="Data made up for the identifier in the address.",
        mime_type="application/json",
    )
]


def read(uri: str) -> TextOrBlob | None:
    """Find what is at `uri`, or nothing."""
    if uri in RESOURCES:
        return RESOURCES[uri][1]
    if match := TEMPLATE_URI.fullmatch(uri):
        data = {"id": match["id"], "templateTest": True, "data": f"Data for ID: {match['id']}"}
        return types.TextResourceContents(
            uri=uri, mime_type="application/json", text=json.dumps(data)
        )
    return None


def complete(value: str) -> types.Completion:
    """Suggest the words that begin with what was typed."""
    values = [word for word in COMPLETIONS if word.startswith(value)]
    return types.Completion(values=values, total=len(values), has_more=False)


PromptAnswer = types.GetPromptResult | types.InputRequiredResult


@dataclass(frozen=True, slots=True)
class FixturePrompt:
    """A prompt as it is listed, with what it says."""

    listing: types.Prompt
    run: Callable[[Call], Awaitable[PromptAnswer]]


async def _simple(_call: Call) -> PromptAnswer:
    return _said(types.TextContent(text="This is a simple prompt for testing."))


async def _with_arguments(call: Call) -> PromptAnswer:
    first, second = call.arguments["arg1"], call.arguments["arg2"]
    text = f"Prompt with arguments: arg1='{first}', arg2='{second}'"
    return _said(types.TextContent(text=text))


async def _with_embedded_resource(call: Call) -> PromptAnswer:
    resource = types.TextResourceContents(
        uri=call.arguments["resourceUri"],
        mime_type="text/plain",
        text="Embedded resource content for testing.",
    )
    return _said(
        types.EmbeddedResource(resource=resource),
        types.TextContent(text="Please process the embedded resource above."),
    )


async def _with_image(_call: Call) -> PromptAnswer:
    return _said(
        types.ImageContent(data=PNG, mime_type="image/png"),
        types.TextContent(text="Please analyze the image above."),
    )


async def _with_input(call: Call) -> PromptAnswer:
    question = form("What context should the prompt use?", context={"type": "string"})
    answers = await call.ask({"user_context": question})
    if isinstance(answers, types.InputRequiredResult):
        return answers
    context = answers["user_context"].get("content", {}).get("context", "none")
    return _said(types.TextContent(text=f"Prompt with context: {context}"))


def _prompt(
    name: str,
    description: str,
    run: Callable[[Call], Awaitable[PromptAnswer]],
    **arguments: str,
) -> FixturePrompt:
    listed = [
        types.PromptArgument(name=each, description=meaning, required=True)
        for each, meaning in arguments.items()
    ]
    return FixturePrompt(
        types.Prompt(name=name, description=description, arguments=listed or None), run
    )


def _said(*contents: types.ContentBlock) -> types.GetPromptResult:
    return types.GetPromptResult(
        messages=[types.PromptMessage(role="user", content=each) for each in contents]
    )


PROMPTS = {
    prompt.listing.name: prompt
    for prompt in (
        _prompt("test_simple_prompt", "A prompt without arguments.", _simple),
        _prompt(
            "test_prompt_with_arguments",
            "A prompt that quotes its arguments.",
            _with_arguments,
            arg1="First test argument",
            arg2="Second test argument",
        ),
        _prompt(
            "test_prompt_with_embedded_resource",
            "A prompt that carries a resource.",
            _with_embedded_resource,
            resourceUri="URI of the resource to embed",
        ),
        _prompt("test_prompt_with_image", "A prompt that carries an image.", _with_image),
        _prompt(
            "test_input_required_result_prompt",
            "A prompt that asks the user for its context.",
            _with_input,
        ),
    )
}
EXTRA_PROMPT = _prompt("test_extra_prompt", "A prompt that comes and goes.", _simple)
