"""Code blocks of pages are found with their marks, and carry the reader's own numbers when they run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.documents import Block, blocks_in, is_as_printed, is_dag, of_reader, run_commands

PAGE = """
# A page

```python
run()
```

<!-- prints -->
```text
ran …
```

<!-- not run: it needs a cluster -->
```sh
airflow celery worker
```

- in a list

  ```sql
  SELECT 1
  ```

```{toctree}
other
```
"""


def test_blocks_are_found_with_the_marks_above_them() -> None:
    assert list(blocks_in(PAGE, "a.md")) == [
        Block("a.md", 1, "python", "run()\n"),
        Block("a.md", 2, "text", "ran …\n", "prints"),
        Block("a.md", 3, "sh", "airflow celery worker\n", "not run", "it needs a cluster"),
        Block("a.md", 4, "sql", "SELECT 1\n"),
    ]


def test_mark_holds_for_the_next_block_alone() -> None:
    text = "<!-- not run: it is long -->\n\n## Another heading\n\n```sh\nls\n```\n"
    assert [block.mark for block in blocks_in(text, "a.md")] == [""]


def test_mark_of_a_page_holds_for_blocks_without_their_own() -> None:
    text = "<!-- page run by: tests/a.py -->\n\n```sh\nls\n```\n\n<!-- not run: a reason -->\n```sh\nrm\n```\n"
    assert [(block.mark, block.why) for block in blocks_in(text, "a.md")] == [
        ("run by", "tests/a.py"),
        ("not run", "a reason"),
    ]


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("demarche_number=12345", "demarche_number=77"),
        ("--demarche-number 12345 --group 12345", "--demarche-number 77 --group 5"),
        ("FROM demarche_54321 JOIN demarche_54321_annotations", "FROM demarche_77 JOIN demarche_77_annotations"),
        ("groupe_instructeur_number=[12345, 12346]", "groupe_instructeur_number=[5, 6]"),
        ('"destination": "file:///data/ds"', '"destination": "file:///mine"'),
        ("http://127.0.0.1:9999/api <token>", "http://127.0.0.1:1234/api secret"),
    ],
)
def test_blocks_carry_the_numbers_of_the_reader(text: str, own: str) -> None:
    sandbox = SimpleNamespace(demarche=77, groupes=[5, 6], token="secret", url="http://127.0.0.1:1234/api/v2/graphql")
    assert of_reader(text, sandbox, "file:///mine") == own


def test_output_is_compared_with_what_the_page_prints() -> None:
    assert is_as_printed("3 dossiers, …\n", "3 dossiers, loaded\n")
    assert not is_as_printed("3 dossiers", "4 dossiers")


@pytest.mark.parametrize("text", ["from airflow.sdk import dag", "import airflow\nDSWarehouseDag(", "airflow\nDAG("])
def test_text_with_both_words_is_a_dag(text: str) -> None:
    assert is_dag(text)
    assert not is_dag(text.replace("airflow", ""))


def test_commands_run_in_one_shell_and_print_apart(tmp_path: Path) -> None:
    outputs = run_commands(["A=$AIRFLOW_HOME", "echo $A", "ls > files"], tmp_path)
    assert [one.strip() for one in outputs] == ["", str(tmp_path), ""]
    assert (tmp_path / "files").exists()


def test_command_that_fails_fails_its_page(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no such"):
        run_commands(["echo no such >&2; false", "echo on"], tmp_path)
