"""docs/hub/reference.md is what the docstrings give."""

import pytest

from docs.hub.reference import TARGET, document, reference, signature


def test_the_committed_file_is_up_to_date() -> None:
    assert TARGET.read_text(encoding="utf-8") == reference(), (
        "run python -m docs.hub.reference"
    )


def test_what_it_holds() -> None:
    text = reference()
    assert "### hub.sleep\n\n**`sleep(seconds: float=0" in text
    assert "### class hub.event.Event" in text
    # inherited from a class that is not public
    pool = text.partition("### class hub.pool.Pool\n")[2].partition("\n### ")[0]
    assert "**`map(func: Callable[[A], R], iterable: Iterable[A]) -> list[R]`**" in pool
    # an attribute with a docstring of its own
    semaphore = text.partition("### class hub.lock.Semaphore\n")[2]
    assert "**`counter`**\n\nHow many permits there are" in semaphore
    assert "`(self" not in text
    assert "(self," not in text


def test_a_public_name_needs_a_docstring() -> None:
    class Undocumented:
        def method(self, *, first: int = 1) -> int:
            return first

    with pytest.raises(LookupError, match="no docstring"):
        document(Undocumented)
    assert signature("method", Undocumented.method, method=True) == (
        "method(*, first: int=1) -> int"
    )
