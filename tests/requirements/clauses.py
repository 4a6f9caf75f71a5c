"""The clauses of a specification page: every sentence that says MUST, REQUIRED or SHALL."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

_KEYWORD = re.compile(r"\b(?:MUST|REQUIRED|SHALL)\b")
_FENCE = re.compile(r"\s*(```+|~~~+)")
_HEADING = re.compile(r"#{1,6}\s+(.*)")
_ITEM = re.compile(r"^(\s*)(?:[-*]|\d+\.)\s+")
_SENTENCE_END = re.compile(
    r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)[\"')*_]*\s+(?=[\"(*_`\[A-Z])"
)
_NOT_IN_ANCHOR = re.compile(r"[^\w\s&/:-]")


@dataclass(frozen=True, slots=True)
class Clause:
    """One sentence, with all white space as single blanks, and the anchor it stands under.

    Where a sentence ends in a colon, the list that it opens belongs to it.
    """

    anchor: str
    text: str

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that stand for the sentence."""
        plain = re.sub(r"[*_`]", "", self.text)
        return hashlib.sha256(plain.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class _Block:
    anchor: str
    text: str
    indent: int | None
    """How far an item of a list stands to the right; None for all else."""


def clauses(page: str) -> list[Clause]:
    """Return the clauses of a page of Markdown, in its order; code and comments hold none."""
    blocks = list(_blocks(page))
    found: list[Clause] = []
    for index, block in enumerate(blocks):
        for sentence in _SENTENCE_END.split(block.text):
            if _KEYWORD.search(sentence):
                opened = _items_after(blocks, index) if sentence.endswith(":") else []
                found.append(Clause(block.anchor, " ".join((sentence, *opened))))
    return found


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings."""
    return {block.anchor for block in _blocks(page)}


def anchor_of(heading: str) -> str:
    """Return the anchor under which a heading can be linked to."""
    plain = _NOT_IN_ANCHOR.sub("", heading.replace("`", "").lower())
    return quote(re.sub(r"\s", "-", plain.strip()).strip("_-"), safe="")


def _items_after(blocks: list[_Block], index: int) -> list[str]:
    items: list[str] = []
    own = blocks[index].indent
    for block in blocks[index + 1 :]:
        if block.indent is None or (own is not None and block.indent <= own):
            break
        items.append(block.text)
    return items


def _blocks(page: str) -> Iterator[_Block]:
    """Yield paragraphs, items and rows of tables, each on one line, outside of code."""
    anchor, lines, indent, fence = "", list[str](), None, ""
    for line in [*_prose(page), ""]:
        mark, heading, item = _FENCE.match(line), _HEADING.match(line), _ITEM.match(line)
        is_row = line.lstrip().startswith("|")
        if lines and (mark or heading or item or is_row or not line.strip()):
            yield _Block(anchor, " ".join(" ".join(lines).split()), indent)
            lines = []
        if fence or mark:
            fence = _fence(fence, mark)
        elif heading:
            anchor = anchor_of(heading[1])
            yield _Block(anchor, heading[1], None)
        elif line.strip():
            if not lines:
                indent = len(item[1]) if item else None
            lines.append(line[item.end() :] if item else line)


def _fence(fence: str, mark: re.Match[str] | None) -> str:
    if mark is None:
        return fence
    if not fence:
        return mark[1]
    return "" if mark[1].startswith(fence) else fence


def _prose(page: str) -> list[str]:
    """Return the lines without the front matter, comments and the tags of components."""
    body = re.sub(r"\A---\n.*?\n---\n", "", page, flags=re.DOTALL)
    body = re.sub(r"\{/\*.*?\*/\}|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r"</?[A-Z][A-Za-z]*(?:\s[^>]*)?>", "", body)
    return body.splitlines()
