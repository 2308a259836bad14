"""What a sentence does in its abstract, said only where that is sure: a wrong label is worse than none."""

import math
from collections.abc import Mapping

from bot.summaries.embedded.weights import role_weights
from bot.summary import Role

# How likely a role must be, so that 85 of 100 are right on abstracts that the weights have not seen.
SURE: dict[Role, float] = {"problem": 0.7, "method": 0.87, "result": 0.78}
# How likely it must be that a sentence without the authors' voice tells what was known before.
BACKGROUND = 0.75
_VOICES = ("we", "our", "opens_this_paper", "opens_in_this_paper")


def role_of(features: Mapping[str, float], weights: Mapping[str, Mapping[str, float]] | None = None) -> Role:
    """The role of a sentence with these features, "" where none is sure. `weights`: the shipped ones unless given."""
    likely = _likelihoods(features, role_weights() if weights is None else weights)
    if likely["background"] >= SURE["problem"]:
        # What only introduces the subject is background too: a problem says that something is hard, or "however".
        is_problem = (features["hard"] or features["opens_contrast"]) and not features["we"]
        return "problem" if is_problem else ""
    if likely["result"] >= SURE["result"]:
        return "result"
    return "method" if likely["method"] + likely["objective"] >= SURE["method"] else ""


def is_background(features: Mapping[str, float]) -> bool:
    """Whether a sentence surely tells what was known before the paper."""
    is_voiced = any(features[name] for name in _VOICES)
    return not is_voiced and _likelihoods(features, role_weights())["background"] >= BACKGROUND


def _likelihoods(features: Mapping[str, float], weights: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    present = {name: value for name, value in features.items() if value}
    scores = {
        kind: own["always"] + sum(own[name] * value for name, value in present.items()) for kind, own in weights.items()
    }
    highest = max(scores.values())
    powers = {kind: math.exp(score - highest) for kind, score in scores.items()}
    total = sum(powers.values())
    return {kind: power / total for kind, power in powers.items()}
