"""When alarms ring: log lines through the template's filters, minute by minute, into the template's alarms."""

import pytest
from alarm import metrics, states
from cloudformation import Stack
from deployments import NEW_BUCKET

STACK = Stack(**NEW_BUCKET, Observation="Full")
ALARMS = STACK.of_type("AWS::CloudWatch::Alarm")
FILTERS = [f for f in STACK.of_type("AWS::Logs::MetricFilter").values() if f["LogGroupName"] == "<FunctionLog>"]
FAST, SLOW = {"run_time": 0.018, "outcome": "done"}, {"run_time": 1.4, "outcome": "done"}
FAILED = {"run_time": 0.018, "outcome": "failed", "kind": "unavailable"}
KEYRING = {"event": "keyring_refresh_failed"}
STOPPED = {"event": "stopped"}
STALLED = FAST | {"stalled": 700}


def polls(per_minute, share=0.0, kind=SLOW):
    """A minute of polls, a share of them of a kind, the others fast."""
    of_kind = round(per_minute * share)
    lines = [(kind, of_kind), (FAST, per_minute - of_kind)]
    return [({"message": "request"} | line, times) for line, times in lines if times > 0]


def rings(name, *minutes):
    return states(ALARMS[name], [metrics(FILTERS, lines) for lines in minutes])


def test_a_slow_canary_rings_at_one_poll_a_second():
    # A tenth of the polls go to the new version for five minutes.
    canary = rings("LatencyAlarm", *[polls(60)] * 5, *[polls(60, share=0.1)] * 5)
    assert canary == [False] * 6 + [True] * 4


@pytest.mark.parametrize("per_minute", [1, 6, 60, 600, 6_000, 30_000])
def test_one_slow_poll_a_night_wakes_nobody(per_minute):
    night = [polls(per_minute)] * 30 + [polls(per_minute, share=1 / per_minute)] + [polls(per_minute)] * 30
    assert not any(rings("LatencyAlarm", *night))


@pytest.mark.parametrize("per_minute", [1, 6, 60])
def test_not_even_one_slow_poll_in_each_minute_wakes_anybody(per_minute):
    assert not any(rings("LatencyAlarm", *[polls(per_minute, share=1 / per_minute)] * 10))


def test_slow_polls_below_one_in_a_hundred_are_no_alarm_however_many():
    assert not any(rings("LatencyAlarm", *[polls(30_000, share=0.009)] * 10))
    assert any(rings("LatencyAlarm", *[polls(30_000, share=0.011)] * 10))


@pytest.mark.parametrize("after", [[], polls(1), polls(60)], ids=["nothing", "a poll a minute", "a poll a second"])
def test_the_latency_alarm_stops_when_slow_polls_stop(after):
    states = rings("LatencyAlarm", *[polls(60, share=1.0)] * 5, *[after] * 5)
    assert states[4] and not states[-1]


# The traffic that docs/operations.md names: with it the alarm rings when everything goes wrong, with less it does not.
@pytest.mark.parametrize(
    "name, least, kind",
    [
        ("LatencyAlarm", 2, SLOW),
        ("FailureRatioAlarm", 1, FAILED),
        ("StalledJobsAlarm", 1, STALLED),
    ],
)
def test_the_smallest_traffic_at_which_an_alarm_means_something(name, least, kind):
    assert any(rings(name, *[polls(least, share=1.0, kind=kind)] * 5))
    assert not any(rings(name, *[polls(least - 1, share=1.0, kind=kind)] * 5))


@pytest.mark.parametrize("per_minute, expected", [(99, True), (101, False)])
def test_below_a_hundred_polls_a_minute_one_failure_in_each_of_two_minutes_rings(per_minute, expected):
    failing = polls(per_minute, share=1 / per_minute, kind=FAILED)
    assert any(rings("FailureRatioAlarm", failing, failing)) is expected
    assert not any(rings("FailureRatioAlarm", failing, polls(per_minute)))


def test_a_single_process_that_ends_rings_in_its_minute():
    assert rings("StoppedAlarm", polls(60), [*polls(60), (STOPPED, 1)], polls(60), []) == [False, True, False, False]


def test_the_keyring_rings_when_it_could_not_be_read_in_two_minutes_of_five():
    failing = [*polls(1), (KEYRING, 1)]
    assert rings("KeyringAlarm", failing, *[polls(1)] * 3, failing, polls(1)) == [False] * 4 + [True, False]


@pytest.mark.parametrize("name", ALARMS)
def test_no_alarm_rings_when_nobody_polls_or_all_is_well(name):
    if "AWS/ApiGateway" in str(ALARMS[name]):
        pytest.skip("its metrics are not made from the log")
    assert not any(rings(name, *[[]] * 5, *[polls(600)] * 5, *[[]] * 5))
