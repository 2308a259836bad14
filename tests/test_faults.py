"""Bad days through the whole program: nothing lost or out of order, nobody blocked, twice only where it must be."""

import pytest

from benchmarks.faults import A_CHAT_GETS, bad_days

MESSAGES = 2_000
"""`python -m benchmarks.faults` sends 10,000."""
REFUSED_FOR_THEIR_CONTENT = ("BUTTON_DATA_INVALID", "blocked it", "harmful", "50035", "too long", "parse entities")


@pytest.mark.thorough
@pytest.mark.timeout(120)
async def test_messages_survive_platforms_of_which_a_fifth_of_all_answers_is_a_failure() -> None:
    result = await bad_days(MESSAGES)
    assert result.messages == MESSAGES
    assert result.faults > MESSAGES * 0.15
    assert result.lost == 0
    assert result.out_of_order == 0
    assert result.came_back > MESSAGES / A_CHAT_GETS / 10
    assert not result.held_up

    assert result.states.keys() <= {"sent", "failed"}
    assert sum(result.states.values()) == MESSAGES
    for reason in result.failed:
        assert any(sign in reason for sign in REFUSED_FOR_THEIR_CONTENT), reason

    assert result.repeated["discord"] == 0
    assert result.repeated["telegram"] <= result.unanswered
