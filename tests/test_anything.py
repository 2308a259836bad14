"""Whatever is said or pressed is answered, and never fails; all of it is `python -m benchmarks.anything`."""

from pathlib import Path

import pytest

from tests.anything import say_anything


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.thorough) for part in range(1, 5))])
def test_whatever_is_said_or_pressed_there_is_an_answer_and_never_a_failure(tmp_path: Path, part: int) -> None:
    say_anything(tmp_path, 2_000, part)
