"""The French page of errors has each error, in the order of the English one; French pages have French typography."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from ds_provider import exceptions
from ds_provider.exceptions import DSError, DSNotFoundError
from ds_provider.hooks.ds import DSHook
from ds_provider.retry_policy import PERMANENT_ERRORS
from ds_provider.sandbox import Sandbox
from scripts.docs.error_page import errors, tree
from tests.support.documents import CHECKOUT, DOCS, blocks_in
from tests.support.sandboxes import connect

PAGE = "fr/erreurs.md"
RETRIED = {True: "*Sans nouvelle tentative.*", False: "*Nouvelles tentatives.*"}
REMEDY = "**Que faire\u00a0:** "


def sections() -> dict[str, str]:
    """Return the text below the heading of each error of the French page."""
    _, *found = re.split(r"^### ", (DOCS / PAGE).read_text(), flags=re.MULTILINE)
    return dict(section.split("\n", 1) for section in found)


def test_page_has_each_error_in_the_order_of_the_english_one() -> None:
    english = re.findall(r"^#+ (DS\w+Error)$", errors(), re.MULTILINE)
    assert list(sections()) == english
    assert set(english) == {
        name for name, thing in vars(exceptions).items() if isinstance(thing, type) and issubclass(thing, DSError)
    } - {"DSError"}


@pytest.mark.parametrize("kind", [kind for kind, _ in tree(DSError)], ids=lambda kind: kind.__name__)
def test_each_error_has_cause_remedy_and_what_becomes_of_the_task(kind: type[DSError]) -> None:
    cause, remedy, retried = sections()[kind.__name__].strip().split("\n\n")
    assert len(cause) > 20
    assert remedy.startswith(REMEDY)
    assert retried == RETRIED[issubclass(kind, PERMANENT_ERRORS)]


def test_message_that_the_page_reads_is_the_providers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = blocks_in((DOCS / "fr" / "erreurs.md").read_text(), PAGE)
    with Sandbox(groupes=1, dossiers=1, rate_limit=0) as sandbox:
        connect(sandbox, monkeypatch)
        with pytest.raises(DSNotFoundError) as raised:
            DSHook().get_groupes(99999)
    line = f"{DSNotFoundError.__module__}.{DSNotFoundError.__name__}: {raised.value}"
    assert " ".join(block.text.split()) == line


# ── typography


def prose(text: str) -> list[str]:
    """Return the texts of a page, with a word in the place of code, without links' addresses and containers' fences."""
    words = {"text": lambda token: token.content, "softbreak": lambda _: "\n", "code_inline": lambda _: "code"}
    text = re.sub("^:::.*", "", text, flags=re.MULTILINE)
    inlines = (token.children or [] for token in MarkdownIt().enable("table").parse(text) if token.type == "inline")
    return ["".join(words[child.type](child) for child in children if child.type in words) for children in inlines]


def french_of(page: Path) -> str:
    """Return a French page, or the paragraph of an English one that leads to the French pages."""
    text = page.read_text()
    if page.parent.name == "fr":
        return text
    (paragraph,) = (each for each in text.split("\n\n") if "fr/index.md)" in each)
    return paragraph


# a sign without its no-break space, straight quotation marks and apostrophes, three dots; a number or the number of an
# article that may be torn apart
_WRONG = re.compile(
    r"(?<![\u00a0\u202f])[;:!?](?!\S)|(?<!\u00a0)»|«(?!\u00a0)|\.\.\.|\w'\w|\"|\d[ \n]\d{3}\b|"
    r"\b(?:L\.|n°)[ \n]"
)


@pytest.mark.parametrize(
    "page",
    [*sorted((DOCS / "fr").glob("*.md")), DOCS / "index.md", CHECKOUT / "README.md"],
    ids=lambda page: f"{page.parent.name}-{page.name}",
)
def test_french_page_has_french_typography(page: Path) -> None:
    assert not [text for text in prose(french_of(page)) if _WRONG.search(text)]


@pytest.mark.parametrize(
    "text",
    [
        "un terme : un autre",
        "un terme: un autre",
        "« un terme\u00a0»",
        "l'un",
        "l'`un`",
        "un...",
        "100 000",
        "L. 211-4",
    ],
)
def test_other_typography_is_found(text: str) -> None:
    (found,) = prose(text)
    assert _WRONG.search(found)
    right = "un terme\u00a0: un autre\u202f; «\u00a0l\u2019un\u00a0», https://un.site… 100\u202f000, L.\u00a0211-4"
    assert not _WRONG.search(right)


@pytest.mark.parametrize("page", ["fr/donnees_personnelles.md", "how_to/personal_data.md"])
def test_tests_that_prove_a_page_exist(page: str) -> None:
    _, proofs = re.split(r"^## (?:What proves it|Ce qui le prouve)$", (DOCS / page).read_text(), flags=re.MULTILINE)
    source = "".join(path.read_text() for path in (CHECKOUT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", proofs))
    assert len(named) > 8
    assert named <= set(re.findall(r"^ *def (test_\w+)\(", source, re.MULTILINE))
