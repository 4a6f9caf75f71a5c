"""What a tool asks its user in the middle of a call: put on the terminal, field by field.

Source: 2026-07-28, client/elicitation and basic/patterns/mrtr.
"""

import json
from typing import Final
from urllib.parse import urlsplit

from interlock.cli.fields import Field, fields_of
from interlock.cli.screen import Screen
from interlock.errors import BadInput, UpstreamFailed
from interlock.protocol.json import JSONObject, as_object

DECLINED: Final[JSONObject] = {"action": "decline"}
CANCELLED: Final[JSONObject] = {"action": "cancel"}
_CHOICES: Final = "[a]ccept, [d]ecline or [c]ancel: "
_ACTIONS: Final = {"a": "accept", "d": "decline", "c": "cancel"}


def answers_to(questions: JSONObject, screen: Screen, tool: str) -> JSONObject:
    """Ask the user what a tool wants to know, and return the `inputResponses`.

    Where nobody is at a terminal everything is declined, which is said on stderr. Raises
    UpstreamFailed where no user can answer a question.
    """
    return {key: _answer(as_object(each) or {}, screen, tool) for key, each in questions.items()}


def _answer(question: JSONObject, screen: Screen, tool: str) -> JSONObject:
    method, params = question.get("method"), as_object(question.get("params")) or {}
    if method != "elicitation/create":
        raise UpstreamFailed(f"{tool} asks for {method}, which the command line cannot answer.")
    message = str(params.get("message", ""))
    if not screen.is_dialogue:
        screen.warn(
            f"{tool} asks its user: {message}\nThis is declined, for nobody is asked without a "
            "terminal or with --json; run the command on a terminal to answer."
        )
        return DECLINED
    screen.note(f"{tool} asks: {message}", "bold")
    if params.get("mode") == "url":
        return _visit(str(params.get("url", "")), screen)
    return _fill_in(fields_of(as_object(params.get("requestedSchema")) or {}), screen)


def _visit(url: str, screen: Screen) -> JSONObject:
    screen.note(f"It sends you to {urlsplit(url).hostname}:\n{url}")
    action = _action("Open this address in your browser, then", screen)
    return {"action": action}


def _fill_in(fields: list[Field], screen: Screen) -> JSONObject:
    names = ", ".join(field.title for field in fields)
    screen.note(f"It wants to know: {names}." if fields else "It wants your consent.")
    action = _action("Do you", screen)
    if action != "accept":
        return {"action": action}
    while True:
        content: JSONObject = {}
        for field in fields:
            line = _line(field, screen)
            if line is None:
                return CANCELLED
            if (value := field.read(line)) is not None:
                content[field.name] = value
        if not fields:
            return {"action": action, "content": content}
        screen.note(json.dumps(content, ensure_ascii=False, indent=2))
        sure = screen.prompt("Send this? [y]es, [n]o to enter it again: ")
        if sure is None:
            return CANCELLED
        if not sure.strip().lower().startswith("n"):
            return {"action": action, "content": content}


def _line(field: Field, screen: Screen) -> str | None:
    """Return a line that the field can read; None where the user leaves."""
    if field.schema.get("description"):
        screen.note(str(field.schema["description"]), "dim")
    for number, choice in enumerate(field.choices, 1):
        screen.note(f"  {number}) {choice.title}")
    while True:
        line = screen.prompt(f"{field.title} ({field.hint}): ")
        if line is None:
            return None
        try:
            field.read(line)
        except BadInput as fault:
            screen.note(fault.message, "red")
        else:
            return line


def _action(question: str, screen: Screen) -> str:
    while True:
        line = screen.prompt(f"{question} {_CHOICES}")
        if line is None:
            return "cancel"
        action = _ACTIONS.get(line.strip().lower()[:1])
        if action is not None:
            return action
