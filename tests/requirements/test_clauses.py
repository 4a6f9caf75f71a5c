"""Clauses are found in prose alone, each under its heading, and known again by their digests."""

import pytest

from tests.requirements.census import faults
from tests.requirements.clauses import Clause, anchor_of, clauses
from tests.requirements.manifest import Manifest, Requirement

PAGE = """---
title: MUST not count
---

Readers **MUST** find this. Writers may
wrap a sentence that they **MUST NOT** lose. Nobody must shout.

## What They Do (v1.0)

```json
{"MUST": "not count"}
```

{/* A comment MUST not count. */}

<Note>
  Notes are **REQUIRED** to count, e.g. this one.
</Note>

1. Both **MUST**:
   - be there
   - stay
2. They need not.

| who | what |
| --- | ---- |
| all | SHALL |
"""


def test_each_sentence_with_a_keyword_is_found_under_its_heading() -> None:
    assert clauses(PAGE) == [
        Clause("", "Readers **MUST** find this."),
        Clause("", "Writers may wrap a sentence that they **MUST NOT** lose."),
        Clause("what-they-do-v10", "Notes are **REQUIRED** to count, e.g. this one."),
        Clause("what-they-do-v10", "Both **MUST**: be there stay"),
        Clause("what-they-do-v10", "| all | SHALL |"),
    ]


def test_emphasis_does_not_change_a_digest_and_words_do() -> None:
    plain = Clause("a", "You MUST go.")

    assert plain.digest == Clause("b", "You **MUST** `go`.").digest
    assert plain.digest != Clause("a", "You MUST NOT go.").digest


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Error Handling", "error-handling"),
        ("`_meta`", "meta"),
        ("`$ref` Resolution", "ref-resolution"),
        ("Security & Endpoint", "security-%26-endpoint"),
        ("Server Requirements (Basic Workflow)", "server-requirements-basic-workflow"),
    ],
)
def test_a_heading_is_linked_to_as_the_site_does(heading: str, anchor: str) -> None:
    assert anchor_of(heading) == anchor


def manifest(*digests: str, anchor: str = "", count: int = 1) -> Manifest:
    link = f"https://modelcontextprotocol.io/specification/v/page#{anchor}"
    one = Requirement("v/page/one", "One.", link, "server", digests, ("a.py::test_a",))
    return Manifest((one,), (), (), {"v/page": count})


def test_what_is_not_listed_or_not_there_any_more_is_told() -> None:
    clause = Clause("here", "You MUST go.")
    pages = {"v/page": [clause]}

    assert list(faults(manifest(clause.digest, anchor="here"), pages)) == []
    for wrong in (
        manifest("00000000", clause.digest, anchor="here"),
        manifest(clause.digest, anchor="there"),
        manifest(clause.digest, anchor="here", count=2),
    ):
        assert len(list(faults(wrong, pages))) == 1
    assert any("You MUST go." in each for each in faults(manifest("00000000"), pages))
