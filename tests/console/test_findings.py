"""The console has words of its own for everything that the doctor of the gateway finds."""

import json

from interlock.checks.finding import Code, Kind
from tests.console.building import CONSOLE

FROM_OUTSIDE = {Code.SETTINGS, Code.PORT, Code.KEY, Code.CLOCK}
NEVER_WRONG = {
    Kind.PYTHON_NEW,
    Kind.FOLDER_TO_COME,
    Kind.CLOSED,
    Kind.READY,
    Kind.COMMAND_FOUND,
}


def test_every_finding_has_its_texts_and_no_text_is_left_over() -> None:
    texts = json.loads((CONSOLE / "src" / "languages" / "en" / "about.json").read_text())

    assert set(texts["what"]) == set(Kind)
    assert set(texts["means"]) == set(Code) - FROM_OUTSIDE
    assert set(texts["cure"]) == set(Kind) - NEVER_WRONG
