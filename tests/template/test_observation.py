"""Metrics, alarms and dashboard fit together: what is drawn or alarmed on is really made."""

import json
import re
from pathlib import Path

import pytest
from assumptions import assumption
from cloudformation import Stack, source
from deployments import EXISTING_BUCKET, EXISTING_DIRECTORY_BUCKET, NEW_BUCKET, TOPIC
from filter_pattern import FilterPattern, Unsupported

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
ASSUMPTIONS = Path(__file__).parents[2] / "crates/pages/src/scaling/assumptions.rs"
SETTINGS = ["Lean", "Full"]
STACKS = {setting: Stack(**NEW_BUCKET, AlarmTopicArn=TOPIC, Observation=setting) for setting in SETTINGS}
STACK = STACKS["Full"]
ALARMS = STACK.of_type("AWS::CloudWatch::Alarm")
NAMESPACE = "job-status/job-status"

WITHOUT_API = Stack(**NEW_BUCKET, AlarmTopicArn=TOPIC, Observation="Full", Gateway="None")

IN_EACH = pytest.mark.parametrize("stack", [*STACKS.values(), WITHOUT_API], ids=[*SETTINGS, "Full, without an API"])
WITH_DASHBOARD = pytest.mark.parametrize("stack", [STACK, WITHOUT_API], ids=["with an API", "without"])


def transformations(stack):
    return [one for made in stack.of_type("AWS::Logs::MetricFilter").values() for one in made["MetricTransformations"]]


def made_metrics(stack):
    """(name, names of its dimensions) of the metrics that the log filters make."""
    assert {made["MetricNamespace"] for made in transformations(stack)} == {NAMESPACE}
    return {(made["MetricName"], dimensions(made)) for made in transformations(stack)}


def dimensions(metric):
    return tuple(sorted(dimension.get("Name", dimension.get("Key")) for dimension in metric.get("Dimensions", [])))


def alarm_metrics(alarm):
    return [m["MetricStat"]["Metric"] for m in alarm["Metrics"] if "MetricStat" in m] if "Metrics" in alarm else [alarm]


def dashboard(stack=STACK):
    return json.loads(stack.properties("Dashboard")["DashboardBody"])


def widget_metrics(stack):
    """(namespace, name, names of dimensions) of each metric on the dashboard that is not an expression."""
    for widget in dashboard(stack)["widgets"] if "Dashboard" in stack.resources else []:
        for line in widget["properties"].get("metrics", []):
            namespace, *rest = [part for part in line if isinstance(part, str)] or [None]
            if namespace:
                yield namespace, rest[0], tuple(sorted(rest[1::2]))


def test_the_alarms_are_these():
    assert {name: condition(alarm) for name, alarm in ALARMS.items()} == {
        "FunctionErrorsAlarm": ("AWS/Lambda Errors", "Sum", 0, "2 of 5"),
        "FailureRatioAlarm": ("100 * failures / requests", "Sum", 1, "2 of 5"),
        "GatewayErrorRatioAlarm": ("100 * FILL(errors, 0) / requests", "Sum", 1, "2 of 5"),
        "LatencyAlarm": ("IF(slow > 1, 100 * slow / requests, 0)", "Sum", 1, "2 of 5"),
        "PollsAlarm": ("AWS/ApiGateway Count", "Sum", "36000", "1 of 1"),
        "ConcurrencyAlarm": ("AWS/Lambda Throttles", "Sum", 0, "1 of 1"),
        "StoppedAlarm": (f"{NAMESPACE} Stopped", "Sum", 0, "1 of 1"),
        "S3ThrottledAlarm": (f"{NAMESPACE} RequestsByOutcome", "Sum", 0, "3 of 5"),
        "KeyringAlarm": (f"{NAMESPACE} KeyringRefreshFailures", "Sum", 0, "2 of 5"),
        "StalledJobsAlarm": (f"{NAMESPACE} StalledPolls", "Sum", 0, "2 of 5"),
    }
    for name, alarm in ALARMS.items():
        # A service that nobody polls is not broken.
        assert (alarm["ComparisonOperator"], alarm["TreatMissingData"]) == ("GreaterThanThreshold", "notBreaching")
        assert period(alarm) == (3600 if name == "PollsAlarm" else 60)


def test_lean_has_the_alarms_that_roll_back_and_those_on_the_gateway_and_no_dashboard():
    lean = STACKS["Lean"]
    watching = lean.properties("StatusFunctionDeploymentGroup")["AlarmConfiguration"]["Alarms"]
    roll_back = {alarm["Name"].strip("<>") for alarm in watching}
    assert lean.of_type("AWS::CloudWatch::Alarm").keys() == roll_back | {"GatewayErrorRatioAlarm", "PollsAlarm"}
    assert "Dashboard" not in lean.resources and "DashboardUrl" not in lean.outputs


def test_from_one_setting_to_the_other_nothing_is_touched_but_alarms_filters_and_the_dashboard():
    lean, full = (stack.resources for stack in STACKS.values())
    assert {name: full[name] for name in lean} == lean
    assert {full[name]["Type"] for name in full.keys() - lean.keys()} == {
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::Logs::MetricFilter",
    }


def test_by_default_more_than_a_tenth_of_what_the_throttle_lets_through_is_a_surprise():
    defaults = {name: parameter["Default"] for name, parameter in source()["Parameters"].items()}
    assert (defaults["ThrottleRate"], defaults["ThrottleBurst"]) == (100, 200)
    assert defaults["PollsPerHour"] == defaults["ThrottleRate"] * 3600 / 10
    assert Stack(**NEW_BUCKET, PollsPerHour=5).properties("PollsAlarm")["Threshold"] == "5"


def test_alarms_look_at_this_stack_only():
    ours = {"FunctionName": "<StatusFunction>", "ApiId": "<StatusApi>", "outcome": "throttled"}
    for alarm in ALARMS.values():
        for metric in alarm_metrics(alarm):
            found = {dimension["Name"]: dimension["Value"] for dimension in metric.get("Dimensions", [])}
            assert found.items() <= ours.items()
            assert found or metric["Namespace"] == NAMESPACE


def test_without_an_api_of_the_stack_the_polls_are_those_that_reach_the_function():
    alarm = WITHOUT_API.properties("PollsAlarm")
    assert alarm_metrics(alarm) == [alarm]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Invocations")
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": "<StatusFunction>"}]
    assert {namespace for namespace, _, _ in widget_metrics(WITHOUT_API)} == {NAMESPACE, "AWS/Lambda", "AWS/Logs"}


def test_alarms_tell_the_topic_when_there_is_one():
    assert {(*alarm["AlarmActions"], *alarm["OKActions"]) for alarm in ALARMS.values()} == {(TOPIC, TOPIC)}
    silent = Stack(**EXISTING_BUCKET, Observation="Full").of_type("AWS::CloudWatch::Alarm")
    assert silent.keys() == ALARMS.keys()
    assert all(alarm["AlarmActions"] == alarm["OKActions"] == [] for alarm in silent.values())


@IN_EACH
def test_every_metric_of_ours_that_an_alarm_or_the_dashboard_shows_is_made_by_a_filter(stack):
    of_alarms = {
        (metric["MetricName"], dimensions(metric))
        for alarm in stack.of_type("AWS::CloudWatch::Alarm").values()
        for metric in alarm_metrics(alarm)
        if metric["Namespace"] == NAMESPACE
    }
    of_widgets = {(name, made) for namespace, name, made in widget_metrics(stack) if namespace == NAMESPACE}
    # And none is made, and paid for, in vain.
    assert made_metrics(stack) == of_alarms | of_widgets


@pytest.mark.parametrize("setting", SETTINGS)
def test_what_metrics_cost_is_reckoned_with_as_many_as_there_are(setting):
    stack, assumed = STACKS[setting], assumption(f"{setting.upper()}_METRICS")
    looked_at = [m for alarm in stack.of_type("AWS::CloudWatch::Alarm").values() for m in alarm_metrics(alarm)]
    without_outcomes = [made for made in transformations(stack) if not made.get("Dimensions")]
    assert assumed == f"[{len(looked_at)}.0, {len(without_outcomes)}.0]"


def test_what_the_access_log_costs_is_reckoned_with_the_bytes_of_its_format():
    (stage,) = STACK.of_type("AWS::ApiGatewayV2::Stage").values()
    known = {
        "$context.integration.requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        "$context.identity.sourceIp": "203.0.113.195",
        "$context.status": "200",
        "$context.integration.status": "200",
    }
    line = re.sub(r"\$context\.[\w.]+", lambda name: known[name[0]], stage["AccessLogSettings"]["Format"])
    assert assumption("ACCESS_LOG_BYTES") == f"{len(line)}.0 + 26.0"


def test_the_dashboard_searches_outcomes_where_the_filter_puts_them():
    (search,) = re.findall(
        r"SEARCH\('\{\"(.+?)\",(\w+)\} MetricName=\"(\w+)\"'", json.dumps(dashboard()).replace('\\"', '"')
    )
    namespace, dimension, name = search
    assert namespace == NAMESPACE and (name, (dimension,)) in made_metrics(STACK)


@WITH_DASHBOARD
def test_the_dashboard_answers_its_four_questions_side_by_side(stack):
    widgets = dashboard(stack)["widgets"]
    headings = [widget["properties"]["markdown"] for widget in widgets if widget["type"] == "text"]
    assert [re.match(r"## ([\w ]+\?)", heading)[1] for heading in headings] == [
        "Is it healthy?",
        "Is it fast?",
        "Who is calling?",
        "What does it cost?",
    ]
    taken = [(x, y) for widget in widgets for x in span(widget, "x", "width") for y in span(widget, "y", "height")]
    # 24 columns, none taken twice, and none empty
    assert sorted(taken) == sorted((x, y) for x in range(24) for y in range(max(y for _, y in taken) + 1))
    (alarms,) = (widget for widget in widgets if widget["type"] == "alarm")
    assert sorted(alarms["properties"]["alarms"]) == sorted(f"<{name}.Arn>" for name in stack.of_type("AWS::CloudWatch::Alarm"))


@WITH_DASHBOARD
def test_metric_math_names_metrics_of_its_own_widget(stack):
    for widget in dashboard(stack)["widgets"]:
        lines = widget["properties"].get("metrics", [])
        ids = {line[-1].get("id") for line in lines}
        for expression in (line[0]["expression"] for line in lines if isinstance(line[0], dict)):
            if not expression.startswith("SEARCH"):
                assert set(re.findall(r"\b[a-z]\w*", expression)) <= ids
    for alarm in stack.of_type("AWS::CloudWatch::Alarm").values():
        for metric in alarm.get("Metrics", []):
            ids = {m["Id"] for m in alarm["Metrics"]}
            assert set(re.findall(r"\b[a-z]\w*", metric.get("Expression", ""))) <= ids


def test_the_dashboard_prices_the_chosen_architecture_and_memory():
    for parameters, price in (
        ({"MemorySize": 512}, "* 512 / 1024 * 0.0000133334"),
        ({"Architecture": "x86_64"}, "* 256 / 1024 * 0.0000166667"),
    ):
        stack = Stack(**NEW_BUCKET, Observation="Full", **parameters)
        assert price in json.dumps(stack.properties("Dashboard"))


def test_the_dashboard_prices_the_kind_of_bucket():
    for parameters, price in ((NEW_BUCKET, "0.4"), (EXISTING_DIRECTORY_BUCKET, "0.03")):
        body = json.dumps(Stack(**parameters, Observation="Full").properties("Dashboard"))
        assert f"FILL(gets, 0) * {price} / 1000000" in body and f"+ {price} * FILL(gets, 0) / calls" in body


def test_the_gateways_own_429_is_told_from_the_functions():
    pattern = FilterPattern(STACK.properties("RateLimitedFilter")["FilterPattern"])
    assert STACK.properties("RateLimitedFilter")["LogGroupName"] == "<AccessLog>"
    assert pattern.matches(access_line(status="429"))
    assert not pattern.matches(access_line(status="429", integration_status="429"))
    assert not pattern.matches(access_line(status="200", integration_status="200"))


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_says_which_section_of_the_operations_manual_to_read(name):
    (section,) = re.findall(r'docs/operations\.md, "(.+)"', ALARMS[name]["AlarmDescription"])
    headings = re.findall(r"^#+ (.+)$", OPERATIONS.read_text(), re.MULTILINE)
    assert section in headings
    assert name in OPERATIONS.read_text()


@pytest.mark.parametrize(
    "pattern, line, matches",
    [
        ('{ $.message = "request" }', {"message": "request"}, True),
        ('{ $.message = "request" }', {"message": "requests"}, False),
        ('{ $.message = "request" }', {}, False),
        ('{ ($.a = "x") && ($.b = *) }', {"a": "x", "b": 0}, True),
        ('{ ($.a = "x") && ($.b = *) }', {"a": "x"}, False),
        ("{ $.status = 429 }", {"status": 429}, True),
        ("{ $.status = 429 }", {"status": "429"}, False),
        ('{ $.status = "429" }', {"status": 429}, False),
        ("{ $.n = 1 }", {"n": True}, False),
        ("{ $.cold IS TRUE }", {"cold": True}, True),
        ("{ $.cold IS TRUE }", {"cold": "true"}, False),
    ],
)
def test_the_matcher_matches_as_cloudwatch_does(pattern, line, matches):
    assert FilterPattern(pattern).matches(line) is matches


@pytest.mark.parametrize(
    "pattern",
    [
        '{ $.a = "x*" }',
        '{ $.a != "x" }',
        "{ ($.a = 1) || ($.b = 1) }",
        "{ $.a.b = 1 }",
        "ERROR",
        '{ $.a = "x"',
        "{ $.a = x }",
        "",
    ],
)
def test_the_matcher_refuses_what_it_does_not_know(pattern):
    with pytest.raises(Unsupported):
        FilterPattern(pattern)


def condition(alarm):
    of = alarm["Metrics"][0]["Expression"] if "Metrics" in alarm else f"{alarm['Namespace']} {alarm['MetricName']}"
    stats = {m["MetricStat"]["Stat"] for m in alarm.get("Metrics", []) if "MetricStat" in m}
    (stat,) = stats or {alarm.get("Statistic") or alarm.get("ExtendedStatistic")}
    periods = alarm["EvaluationPeriods"]
    return of, stat, alarm["Threshold"], f"{alarm.get('DatapointsToAlarm', periods)} of {periods}"


def period(alarm):
    (seconds,) = {m["MetricStat"]["Period"] for m in alarm.get("Metrics", []) if "MetricStat" in m} or {
        alarm.get("Period")
    }
    return seconds


def span(widget, start, length):
    return range(widget[start], widget[start] + widget[length])


def access_line(status, integration_status="-"):
    """An access log line as API Gateway fills in the format; "-" is what it writes for what does not apply."""
    (stage,) = STACK.of_type("AWS::ApiGatewayV2::Stage").values()
    known = {"$context.status": status, "$context.integration.status": integration_status}
    return json.loads(
        re.sub(r"\$context\.[\w.]+", lambda v: known.get(v[0], "-"), stage["AccessLogSettings"]["Format"])
    )
