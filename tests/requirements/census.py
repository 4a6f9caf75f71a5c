"""Checks `tests/requirements.toml` against a folder of the specification, clause by clause.

python -m tests.requirements.census FOLDER, where FOLDER holds a folder of pages (.mdx) for each
version and one for the extensions.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.requirements.clauses import Clause, clauses
from tests.requirements.manifest import Manifest, load

Pages = dict[str, list[Clause]]


def read(folder: Path) -> Pages:
    """Return the clauses of every page that has some, by the page's place on the web site."""
    pages: Pages = {}
    for file in sorted(folder.rglob("*.mdx")):
        place = file.relative_to(folder).with_suffix("").as_posix().removesuffix("/index")
        found = clauses(file.read_text(encoding="utf-8"))
        if found:
            pages[place] = found
    return pages


def faults(manifest: Manifest, pages: Pages) -> Iterator[str]:
    """Yield a sentence for each difference between the file and the specification."""
    proven, unproven = set(manifest.proven()), Counter(manifest.unproven())
    for page in manifest.pages.keys() | pages.keys():
        listed, there = manifest.pages.get(page, 0), len(pages.get(page, ()))
        if listed != there:
            yield f"{page} has {there} clauses and not {listed}."
    known = {(page, each.digest): each for page, found in pages.items() for each in found}
    for (page, digest), clause in known.items():
        if (page, digest) not in proven | unproven.keys():
            yield f"{page}#{clause.anchor} {digest} is not listed: {clause.text}"
    for page, digest in (proven | unproven.keys()) - known.keys():
        yield f"{page} has no clause {digest}."
    for page, digest in unproven:
        if unproven[page, digest] > 1 or (page, digest) in proven:
            yield f"{page} {digest} is listed twice."
    for requirement in manifest.requirements:
        found = [known.get((requirement.page, digest)) for digest in requirement.clauses]
        if requirement.anchor not in {each.anchor for each in found if each is not None}:
            yield f"{requirement.id} links to {requirement.anchor!r}, where none of its clauses is."


def summary(manifest: Manifest) -> Iterator[str]:
    """Yield lines that tell how many clauses are whose."""
    yield f"{sum(manifest.pages.values())} clauses on {len(manifest.pages)} pages."
    proven = len(set(manifest.proven()))
    yield f"{proven} are proven by tests, in {len(manifest.requirements)} requirements."
    for name, groups in (("not ours", manifest.not_ours), ("not kept", manifest.unkept)):
        for group in groups:
            count = sum(map(len, group.clauses.values()))
            yield f"{count} are {name}: {group.reason}"


def main() -> int:
    """Print what differs, or the summary where nothing does."""
    if len(sys.argv) != 2:
        sys.stderr.write("Name the folder of the specification, and nothing else.\n")
        return 2
    manifest = load()
    found = sorted(faults(manifest, read(Path(sys.argv[1]))))
    sys.stdout.writelines(f"{line}\n" for line in found or summary(manifest))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
