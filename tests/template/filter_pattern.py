"""CloudWatch Logs filter patterns for JSON: the part of the syntax that the template uses.

    pattern    = "{" condition { "&&" condition } "}"
    condition  = "(" condition ")" | "$.field" ( "=" ( "string" | number | "*" ) | ">" number | "IS TRUE" )

`= *` asks for a member of any value. A string is only equal to a string, a number only to a
number. Anything else of the syntax (wildcards inside strings, `||`, `!=`, paths) raises, so that a
pattern is never silently understood differently from CloudWatch.
"""

import re

TOKEN = re.compile(r'\s*(&&|[{}()=*>]|IS TRUE|\$\.[A-Za-z_][A-Za-z0-9_]*|"[^"*%]*"|-?\d+(?:\.\d+)?)')

NUMBER = re.compile(r"-?\d+(\.\d+)?")


class Unsupported(Exception):
    """The pattern uses more of the syntax than this module knows."""


class FilterPattern:
    def __init__(self, text):
        self.text = text
        self._tokens = tokens(text)
        self._take("{")
        self._conditions = [self._condition()]
        while self._peek() == "&&":
            self._take("&&")
            self._conditions.append(self._condition())
        self._take("}")
        if self._tokens:
            raise Unsupported(text)

    def matches(self, line):
        """Whether the pattern matches a log line, given as the dict that its JSON holds."""
        return all(holds(line) for holds in self._conditions)

    def _condition(self):
        if self._peek() == "(":
            self._take("(")
            condition = self._condition()
            self._take(")")
            return condition
        field = self._take()
        if not field.startswith("$."):
            raise Unsupported(self.text)
        name = field[2:]
        if self._peek() == "IS TRUE":
            self._take("IS TRUE")
            return lambda line: line.get(name) is True
        comparison = self._take()
        value = self._take()
        if comparison == ">" and NUMBER.fullmatch(value):
            return lambda line: is_number(line.get(name)) and line[name] > float(value)
        if comparison != "=":
            raise Unsupported(self.text)
        if value == "*":
            return lambda line: name in line
        if value.startswith('"'):
            return lambda line: isinstance(line.get(name), str) and line[name] == value[1:-1]
        if not NUMBER.fullmatch(value):
            raise Unsupported(self.text)
        return lambda line: is_number(line.get(name)) and line[name] == float(value)

    def _peek(self):
        return self._tokens[0] if self._tokens else None

    def _take(self, expected=None):
        if not self._tokens or expected not in (None, self._tokens[0]):
            raise Unsupported(self.text)
        return self._tokens.pop(0)


def tokens(text):
    found, at = [], 0
    while at < len(text.rstrip()):
        token = TOKEN.match(text, at)
        if token is None:
            raise Unsupported(text)
        found.append(token[1])
        at = token.end()
    return found


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)
