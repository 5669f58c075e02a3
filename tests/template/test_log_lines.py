"""The dashboard cannot go blind: what it reads from the log is what the binary writes.

`CAPTURED_LOG` names a file of log lines captured from the binary, one JSON object a line. It has
to hold at least one line for everything that the metric filters, the alarms, the dashboard's
queries and those of docs/operations.md look for.
"""

import json
import os
import re
from pathlib import Path

import insights
import pytest
from cloudformation import Stack
from deployments import NEW_BUCKET
from filter_pattern import FilterPattern, is_number

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
STACK = Stack(**NEW_BUCKET)
FILTERS = {
    name: made
    for name, made in STACK.of_type("AWS::Logs::MetricFilter").items()
    if made["LogGroupName"] == "<FunctionLog>"
}


def dashboard_queries():
    widgets = json.loads(STACK.properties("Dashboard")["DashboardBody"])["widgets"]
    return {
        widget["properties"]["title"]: widget["properties"]["query"] for widget in widgets if widget["type"] == "log"
    }


def documented_queries():
    """By heading; those on the access log marked as the dashboard marks them."""
    query = re.compile(
        r"^### ([^\n]+)\n(?:(?!^#)[^\n]*\n)*?^```(logs|access-log)-insights\n(.+?)^```", re.MULTILINE | re.DOTALL
    )
    source = {"logs": "", "access-log": "SOURCE '<AccessLog>' | "}
    return {f"operations.md: {title}": source[log] + text for title, log, text in query.findall(OPERATIONS.read_text())}


QUERIES = dashboard_queries() | documented_queries()


@pytest.fixture(scope="module")
def lines():
    if "CAPTURED_LOG" not in os.environ:
        pytest.fail("CAPTURED_LOG must name a file of log lines captured from the binary", pytrace=False)
    text = Path(os.environ["CAPTURED_LOG"]).read_text()
    assert text.strip(), "the captured log is empty"
    return [json.loads(line) for line in text.splitlines()]


def requests(lines):
    return [line for line in lines if "outcome" in line]


def test_every_line_has_what_lambda_files_it_by(lines):
    # Without them, Lambda takes the line for INFO, and the time of its arrival for that of the event.
    instant = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
    assert [line for line in lines if not instant.fullmatch(line.get("timestamp", ""))] == []
    assert {line.get("level") for line in lines} <= {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"}


@pytest.mark.parametrize("name", FILTERS)
def test_a_metric_filter_matches_lines_and_finds_its_number_and_dimensions_in_them(lines, name):
    matched = [line for line in lines if FilterPattern(FILTERS[name]["FilterPattern"]).matches(line)]
    assert matched, f"nothing that the binary logs matches {FILTERS[name]['FilterPattern']}"
    (transformation,) = FILTERS[name]["MetricTransformations"]
    value = transformation["MetricValue"]
    if value != "1":
        # Percentiles are not to be had of a metric with negative values.
        assert [line for line in matched if not is_number(line[value.removeprefix("$.")])] == []
        assert [line for line in matched if line[value.removeprefix("$.")] < 0] == []
    for dimension in transformation.get("Dimensions", []):
        assert [line for line in matched if not isinstance(line[dimension["Value"].removeprefix("$.")], str)] == []


@pytest.mark.parametrize("name", ["RequestsFilter", "RequestsByOutcomeFilter", "RunTimeFilter"])
def test_every_request_is_counted_and_nothing_else_is(lines, name):
    pattern = FilterPattern(FILTERS[name]["FilterPattern"])
    assert [line for line in lines if pattern.matches(line)] == requests(lines)


def test_failures_are_the_500s(lines):
    pattern = FilterPattern(FILTERS["FailuresFilter"]["FilterPattern"])
    assert [line for line in lines if pattern.matches(line)] == [
        line for line in requests(lines) if line["status"] >= 500
    ]


def test_a_line_is_at_least_info_so_that_the_log_level_parameter_cannot_silence_it(lines):
    assert {line["level"] for line in requests(lines)} <= {"INFO", "WARN", "ERROR"}


def test_outcomes_are_few_as_each_is_a_metric_to_pay_for(lines):
    assert len({line["outcome"] for line in requests(lines)}) <= 16


def test_every_outcome_that_an_alarm_or_a_widget_names_is_logged(lines):
    named = set()
    for alarm in STACK.of_type("AWS::CloudWatch::Alarm").values():
        named |= {one["Value"] for one in alarm.get("Dimensions", []) if one["Name"] == "outcome"}
    for widget in json.loads(STACK.properties("Dashboard")["DashboardBody"])["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            named |= {value for name, value in zip(metric[2::2], metric[3::2]) if name == "outcome"}
    assert named
    assert named <= {line["outcome"] for line in requests(lines)}


@pytest.mark.parametrize("title", QUERIES)
def test_a_query_reads_fields_and_values_that_are_logged(lines, title):
    query = QUERIES[title]
    if "<AccessLog>" in query:
        (stage,) = STACK.of_type("AWS::ApiGatewayV2::Stage").values()
        assert insights.fields(query) <= json.loads(stage["AccessLogSettings"]["Format"]).keys()
        return
    logged_fields = {name for line in lines for name in line}
    logged_values = {(name, value) for line in lines for name, value in line.items() if isinstance(value, str)}
    assert insights.fields(query) - logged_fields == set()
    assert insights.values(query) - logged_values == set()
