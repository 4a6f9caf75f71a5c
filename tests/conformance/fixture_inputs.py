"""The fixture's tools that need something from the client: an answer, a sample or its roots."""

from typing import Any

import mcp_types as types
from fixture_call import Call, JsonObject, ToolAnswer, Toolset, text_result

INPUTS = Toolset()

STRING: JsonObject = {"type": "string"}
BOOLEAN: JsonObject = {"type": "boolean"}
OPTIONS = ["option1", "option2", "option3"]


def form(message: str, **properties: JsonObject) -> types.ElicitRequest:
    """Ask the user to fill in a form in which every field is required."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return types.ElicitRequest(
        params=types.ElicitRequestFormParams(message=message, requested_schema=schema)
    )


def sample(prompt: str, max_tokens: int = 100) -> types.CreateMessageRequest:
    """Ask the client's model to continue `prompt`."""
    message = types.SamplingMessage(role="user", content=types.TextContent(text=prompt))
    return types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(messages=[message], max_tokens=max_tokens)
    )


def roots() -> types.ListRootsRequest:
    """Ask which folders the client offers."""
    return types.ListRootsRequest(params=types.RequestParams())


@INPUTS.tool(
    "Asks the client's model to answer a prompt.",
    schema={
        "type": "object",
        "properties": {"prompt": {"type": "string", "description": "The prompt to answer"}},
        "required": ["prompt"],
    },
)
async def test_sampling(call: Call) -> ToolAnswer:
    answers = await call.ask({"sample": sample(call.arguments["prompt"])})
    if isinstance(answers, types.InputRequiredResult):
        return answers
    return text_result(f"LLM response: {_sampled(answers['sample'])}")


@INPUTS.tool(
    "Asks the user for a name and an address.",
    schema={
        "type": "object",
        "properties": {"message": {"type": "string", "description": "What the user is shown"}},
        "required": ["message"],
    },
)
async def test_elicitation(call: Call) -> ToolAnswer:
    question = form(
        call.arguments["message"],
        username={"type": "string", "description": "User's response"},
        email={"type": "string", "description": "User's email address"},
    )
    answers = await call.ask({"user": question})
    if isinstance(answers, types.InputRequiredResult):
        return answers
    return text_result(f"User response: {_outcome(answers['user'])}")


@INPUTS.tool("Asks the user with a form whose fields have defaults.")
async def test_elicitation_sep1034_defaults(call: Call) -> ToolAnswer:
    statuses = ["active", "inactive", "pending"]
    question = form(
        "Please review and update the form fields with defaults",
        name={"type": "string", "default": "John Doe"},
        age={"type": "integer", "default": 30},
        score={"type": "number", "default": 95.5},
        status={"type": "string", "enum": statuses, "default": "active"},
        verified={"type": "boolean", "default": True},
    )
    return await _elicit(call, question)


@INPUTS.tool("Asks the user with a form that has every kind of choice.")
async def test_elicitation_sep1330_enums(call: Call) -> ToolAnswer:
    titles = {"value1": "First Option", "value2": "Second Option", "value3": "Third Option"}
    titled = [{"const": value, "title": title} for value, title in titles.items()]
    question = form(
        "Please select options from the enum fields",
        untitledSingle={"type": "string", "enum": OPTIONS},
        titledSingle={"type": "string", "oneOf": titled},
        legacyEnum={
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        untitledMulti={"type": "array", "items": {"type": "string", "enum": OPTIONS}},
        titledMulti={"type": "array", "items": {"anyOf": titled}},
    )
    return await _elicit(call, question)


@INPUTS.tool("Asks the user for a confirmation; the answer comes on the call's own stream.")
async def test_streaming_elicitation(call: Call) -> ToolAnswer:
    return await _elicit(call, form("Please confirm", ok=BOOLEAN))


@INPUTS.tool("Refuses clients that do not offer sampling.")
async def test_missing_capability(call: Call) -> ToolAnswer:
    call.require("sampling")
    return text_result("The client offers sampling.")


@INPUTS.tool("Asks the user for a name and greets them.")
async def test_input_required_result_elicitation(call: Call) -> ToolAnswer:
    answers = await call.ask({"user_name": form("What is your name?", name=STRING)})
    if isinstance(answers, types.InputRequiredResult):
        return answers
    return text_result(f"Hello, {_field(answers['user_name'], 'name')}!")


@INPUTS.tool("Asks the client's model for the capital of France.")
async def test_input_required_result_sampling(call: Call) -> ToolAnswer:
    answers = await call.ask({"capital_question": sample("What is the capital of France?")})
    if isinstance(answers, types.InputRequiredResult):
        return answers
    return text_result(_sampled(answers["capital_question"]))


@INPUTS.tool("Asks the client for its roots and names them.")
async def test_input_required_result_list_roots(call: Call) -> ToolAnswer:
    answers = await call.ask({"client_roots": roots()})
    if isinstance(answers, types.InputRequiredResult):
        return answers
    return text_result(f"Roots: {_root_uris(answers['client_roots'])}")


@INPUTS.tool("Asks the user to confirm, and checks that its own state comes back.")
async def test_input_required_result_request_state(call: Call) -> ToolAnswer:
    answers = await call.ask({"confirm": form("Please confirm", ok=BOOLEAN)}, remembering=True)
    if isinstance(answers, types.InputRequiredResult):
        return answers
    if call.modern and call.params.request_state is None:
        return text_result("The request state did not come back.", is_error=True)
    return text_result("state-ok")


@INPUTS.tool("Asks the user, the client's model and the client at once.")
async def test_input_required_result_multiple_inputs(call: Call) -> ToolAnswer:
    requests = {
        "user_name": form("What is your name?", name=STRING),
        "greeting": sample("Generate a greeting", max_tokens=50),
        "client_roots": roots(),
    }
    answers = await call.ask(requests, remembering=True)
    if isinstance(answers, types.InputRequiredResult):
        return answers
    name, greeting = _field(answers["user_name"], "name"), _sampled(answers["greeting"])
    return text_result(f"{greeting} {name}: {_root_uris(answers['client_roots'])}")


@INPUTS.tool("Asks the user two questions, one after the other.")
async def test_input_required_result_multi_round(call: Call) -> ToolAnswer:
    first = await call.ask(
        {"step1": form("Step 1: What is your name?", name=STRING)}, remembering=True
    )
    if isinstance(first, types.InputRequiredResult):
        return first
    second = await call.ask(
        {"step2": form("Step 2: What is your favorite color?", color=STRING)}, remembering=True
    )
    if isinstance(second, types.InputRequiredResult):
        return second
    return text_result(f"{_field(first['step1'], 'name')} likes {_field(second['step2'], 'color')}")


@INPUTS.tool("Asks the user to confirm, and refuses a request state that was altered.")
async def test_input_required_result_tampered_state(call: Call) -> ToolAnswer:
    answers = await call.ask({"confirm": form("Please confirm", ok=BOOLEAN)}, remembering=True)
    if isinstance(answers, types.InputRequiredResult):
        return answers
    return text_result("The request state is intact.")


@INPUTS.tool("Asks only for what the client declares that it can give.")
async def test_input_required_result_capabilities(call: Call) -> ToolAnswer:
    possible: dict[str, tuple[str, types.InputRequest]] = {
        "elicitation": ("user_name", form("What is your name?", name=STRING)),
        "sampling": ("greeting", sample("Generate a greeting", max_tokens=50)),
        "roots": ("client_roots", roots()),
    }
    requests = dict(entry for capability, entry in possible.items() if call.declares(capability))
    answers = await call.ask(requests)
    if isinstance(answers, types.InputRequiredResult):
        return answers
    return text_result(f"Answered: {', '.join(requests) or 'nothing was asked'}")


async def _elicit(call: Call, question: types.ElicitRequest) -> ToolAnswer:
    answers = await call.ask({"form": question})
    if isinstance(answers, types.InputRequiredResult):
        return answers
    return text_result(f"Elicitation completed: {_outcome(answers['form'])}")


def _outcome(answer: JsonObject) -> str:
    return f"action={answer['action']}, content={answer.get('content', {})}"


def _field(answer: JsonObject, name: str) -> Any:
    return answer.get("content", {}).get(name, answer["action"])


def _sampled(answer: JsonObject) -> str:
    content = answer["content"]
    return content.get("text", "") if isinstance(content, dict) else str(content)


def _root_uris(answer: JsonObject) -> str:
    return ", ".join(root["uri"] for root in answer["roots"])
