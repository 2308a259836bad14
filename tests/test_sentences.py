"""Where the sentences of an abstract begin and end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.summaries.embedded.sentences import split


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Seen by J. Smith et al. We ask why.", ["Seen by J. Smith et al.", "We ask why."]),
        (
            "See e.g. Fig. 3 vs. Eq. 4. It is 3.5 (resp. Four).",
            ["See e.g. Fig. 3 vs. Eq. 4.", "It is 3.5 (resp. Four)."],
        ),
        ("Let $f(x. Y) = 1. Z$ hold. $K$ is big.", ["Let $f(x. Y) = 1. Z$ hold.", "$K$ is big."]),
        (r"Take \(a. B\) now. Then \[c. D\] ends.", [r"Take \(a. B\) now.", r"Then \[c. D\] ends."]),
        ("It costs $5. We use $10 now.", ["It costs $5.", "We use $10 now."]),
        ("We ask: (1) Is it? (2) Can it be? Yes.", ["We ask: (1) Is it?", "(2) Can it be?", "Yes."]),
        ('He said "Stop." They did (all. Of. them.) well.', ['He said "Stop."', "They did (all. Of. them.) well."]),
        ("Read [Ann. Math. 3 (2020)] first. Then go.", ["Read [Ann. Math. 3 (2020)] first.", "Then go."]),
        ("One, two, ... Ten are here. The U.S. Army left.", ["One, two, ... Ten are here.", "The U.S. Army left."]),
        ("It works as before.We show why.", ["It works as before.", "We show why."]),
        (r"So \[x = 1\].We show why.", [r"So \[x = 1\].", "We show why."]),
        ("We use a map $($resp. $2$ maps$)$. It helps.", ["We use a map $($resp. $2$ maps$)$.", "It helps."]),
        ("It grew by 0.5 pp. Then it fell (pp. 3 to 5).", ["It grew by 0.5 pp.", "Then it fell (pp. 3 to 5)."]),
        (
            "Seen in Astron. Lett. 12, 1986. Under Art. 15 it is a right.",
            ["Seen in Astron. Lett. 12, 1986.", "Under Art. 15 it is a right."],
        ),
        ("Code is at https://example. org/Code now. Try it.", ["Code is at https://example. org/Code now.", "Try it."]),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, sentences: list[str]) -> None:
    assert split(text) == sentences


@given(st.text(alphabet=st.sampled_from(list('aBeg.?!$()[] \n\\"1…')), max_size=120))
def test_no_character_of_an_abstract_is_lost(text: str) -> None:
    assert "".join("".join(split(text)).split()) == "".join(text.split())
