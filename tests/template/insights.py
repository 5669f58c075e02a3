"""What a CloudWatch Logs Insights query asks of the log lines: fields, and values of fields."""

import re

# The words of the language that the queries here use. Any other word counts as a field of the log: one forgotten here
# fails a test, one misspelt in a query does too.
WORDS = set(
    """
    source fields filter stats sort limit by as and or not in like asc desc
    count count_distinct sum avg min max pct bin ispresent
    """.split()
)
TOKEN = re.compile(r'"[^"]*"|\'[^\']*\'|\d+(?:\.\d+)?[smhd]?\b|@?[A-Za-z_]\w*|[^\s\w]')


def fields(query):
    """The fields that the query reads, without those that CloudWatch adds (`@timestamp`) or the query makes (`as`)."""
    words = [token for token in TOKEN.findall(query) if re.match(r"[A-Za-z_]", token)]
    made = {name for before, name in zip(words, words[1:]) if before.lower() == "as"}
    return {word for word in words if word.lower() not in WORDS} - made


def values(query):
    """(field, value) of each comparison with a string: `outcome = "failed"`, `outcome in ["queued", "running"]`.

    "…" is for the reader to fill in.
    """
    equal = re.findall(r'(\w+) = "([^"]*)"', query)
    listed = [
        (field, value)
        for field, items in re.findall(r"(\w+) in \[([^]]*)\]", query)
        for value in re.findall(r'"([^"]*)"', items)
    ]
    return {(field, value) for field, value in equal + listed if value != "…"}
