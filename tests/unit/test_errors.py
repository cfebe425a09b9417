import pickle

import pytest

from localvid import errors


def all_errors() -> list[type[errors.LocalvidError]]:
    found, waiting = [], [errors.LocalvidError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting.extend(kind.__subclasses__())
    return [kind for kind in found if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)
def test_the_tree_in_the_docstring_names_every_error(kind: type[errors.LocalvidError]) -> None:
    assert errors.__doc__ is not None
    assert f"{kind.__name__}" in errors.__doc__


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)
def test_an_error_crosses_a_process_border_whole(kind: type[errors.LocalvidError]) -> None:
    again = pickle.loads(pickle.dumps(kind("it broke", hint="mend it")))
    assert (type(again), again.message, again.hint, str(again)) == (kind, "it broke", "mend it", "it broke")


def test_exit_codes_follow_the_tree() -> None:
    assert errors.InvalidStoryboardError.exit_code == 2
    assert errors.NotAvailableError.exit_code == 3
    assert errors.OutOfMemoryError.exit_code == 1
    assert errors.JobInterruptedError.exit_code == 130
