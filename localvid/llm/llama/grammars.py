"""The shape of an answer as a GBNF grammar, which llama.cpp holds a model to while it writes.

Source of the notation: grammars/README.md of the llama.cpp repository.
"""

from __future__ import annotations

import json

from localvid.llm.chat import FIELD_SEPARATOR, Choice, Shape, Text

_PLAIN_FIRST = "[A-Za-z]"
_PLAIN_REST = "[A-Za-z ,'-]"
_FIRST = r"""[^\x00-\x20|"<>{}\[\]()*#_/\\:;.,!?-]"""
_REST = r"""[^\x00-\x1f|"<>{}\[\]()*#_/\\:]"""
"""Any script, without what markup, addresses, JSON and fields are made of."""


def grammar_of(shape: Shape, *, leading_space: bool) -> str:
    """The lines of the shape, each ended by a line break.

    `leading_space`: the answer goes on within a line that stands open, so a space comes first.
    """
    rules: list[str] = []
    names: dict[str, str] = {}
    for row in shape.lines:
        fields = []
        for field in row:
            rule = _rule(field)
            if rule not in names:
                names[rule] = f"field{len(names)}"
                rules.append(f"{names[rule]} ::= {rule}")
            fields.append(names[rule])
        separator = f" {json.dumps(FIELD_SEPARATOR)} "
        rules.append(f"line{len(rules)} ::= {separator.join(fields)} " + r'"\n"')
    lines = " ".join(rule.split(" ", 1)[0] for rule in rules if rule.startswith("line"))
    start = '" " ' if leading_space else ""
    return "\n".join([f"root ::= {start}{lines}", *rules]) + "\n"


def _rule(field: Text | Choice) -> str:
    if isinstance(field, Choice):
        return " | ".join(json.dumps(option, ensure_ascii=False) for option in field.options)
    least, most = field.min_characters - 1, field.max_characters - 1
    if field.plain:
        return f'{_PLAIN_FIRST} {_PLAIN_REST}{{{max(0, least - 1)},{most - 1}}} "."'
    return f"{_FIRST} {_REST}{{{least},{most}}}"
