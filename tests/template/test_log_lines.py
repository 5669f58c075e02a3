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
from assumptions import assumption
from cloudformation import Stack
from deployments import NEW_BUCKET
from filter_pattern import FilterPattern, is_number

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
STACK = Stack(**NEW_BUCKET, Observation="Full")  # Lean has some of its filters, and no others
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


PLAIN = {
    "timestamp": "2026-11-30T09:33:49.360711Z",
    "level": "INFO",
    "message": "request",
    "request_id": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    "key": "acme-2026",
    "job_id": "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7",
    "outcome": "unfinished",
    "status": 200,
    "run_time": 0.017421,
    "s3_time": 0.015213,
    "bytes": 1000,
}
REFUSED = {name: PLAIN[name] for name in ("timestamp", "level", "message", "request_id")} | {
    "outcome": "unauthorized",
    "status": 401,
    "run_time": 0.000016,
}


@pytest.mark.parametrize("line, constant", [(PLAIN, "REQUEST_LOG_BYTES"), (REFUSED, "REFUSED_LOG_BYTES")])
def test_what_the_log_costs_is_reckoned_with_the_bytes_of_a_line_that_is_logged(lines, line, constant):
    assert list(line) in [list(logged) for logged in lines if logged.get("outcome") == line["outcome"]]
    written = f"{line['run_time']:f}"  # not 1.6e-05
    size = len(json.dumps(line, separators=(",", ":")).replace(json.dumps(line["run_time"]), written))
    assert assumption(constant) == f"{size}.0 + 26.0"  # which CloudWatch adds


def test_both_logs_together_cost_at_most_22_cents_a_million_polls():
    line, access_line, price = (
        eval(assumption(name)) for name in ("REQUEST_LOG_BYTES", "ACCESS_LOG_BYTES", "ACCESS_LOGS")
    )
    assert (line + access_line) / 1000 * price <= 0.22


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
