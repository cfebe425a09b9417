"""Where sentences end."""

from __future__ import annotations

import pytest

from localvid.schemas import sentences


@pytest.mark.parametrize(
    "parts",
    [
        ["A fox.", "An owl!", "Is it?", "It is;", "and more"],
        ["Dr. Smith and Mrs. Jones walk by St. Mark's.", "They sit."],
        ["A U.S. flag on the moon at 5 p.m. over there"],
        ["It is 5 p.m.", "The sea is calm."],
        ["A car vs. a horse, e.g. a grey one, by L. da Vinci"],
        ["No. 5 runs.", "No.", "He falls."],
        ["Lava pours from the volcano.", "2 people flee."],
        ["A rocket waits at pad B.", "The crew cheers.", "It was I.", "He left."],
        ["It stands in Main St.", "A dog barks.", "Robert Downey Jr. smiles."],
        ["A U.S. Navy ship meets J.R.R. Tolkien in the U.S.", "They wave."],
        ['He reads "Dr. No" to Col. Mustard, a Ph.D. student'],
        ["He counts to 3.", "Then he runs."],
        ["10. Dezember im Schnee"],
        ["太阳升起。", "鸟儿飞翔！", "花开了"],
        [""],
    ],
)
def test_sentences_end_where_a_reader_ends_them(parts: list[str]) -> None:
    between = "" if parts[0].endswith("。") else "  "
    assert sentences(between.join(parts)) == parts
