"""What CloudWatch makes of log lines: the metrics of the log filters, minute by minute, and the states of an alarm.

The part of the rules that the template uses. Anything else raises, so that an alarm is never silently understood
differently from CloudWatch.
"""

import re

from filter_pattern import FilterPattern


def metrics(filters, lines):
    """Name → sum, of a minute: of pairs of a line and how often it is there.

    A filter's default is for lines that it does not match. Without lines there is no metric.
    """
    made = {}
    for made_by in filters:
        (transformation,) = made_by["MetricTransformations"]
        if transformation["MetricValue"] != "1" or "Dimensions" in transformation:
            continue
        pattern = FilterPattern(made_by["FilterPattern"])
        matched = sum(times for line, times in lines if pattern.matches(line))
        if matched or (lines and transformation.get("DefaultValue") == 0):
            made[transformation["MetricName"]] = matched
    return made


def states(alarm, minutes):
    """Whether the alarm rings after each of the minutes, given as dicts of metrics."""
    assert (alarm["ComparisonOperator"], alarm["TreatMissingData"]) == ("GreaterThanThreshold", "notBreaching")
    values = [value(alarm, made) for made in minutes]
    breaching = [value is not None and value > alarm["Threshold"] for value in values]
    window = alarm["EvaluationPeriods"]
    least = alarm.get("DatapointsToAlarm", window)
    return [sum(breaching[max(0, end - window) : end]) >= least for end in range(1, len(breaching) + 1)]


def value(alarm, made):
    """An alarm's datapoint of a minute; `None` if there is none."""
    if "Metrics" not in alarm:
        assert alarm["Statistic"] == "Sum"
        return made.get(alarm["MetricName"])
    (result,) = (metric for metric in alarm["Metrics"] if metric.get("ReturnData", True))
    sums = {m["Id"]: m["MetricStat"] for m in alarm["Metrics"] if "MetricStat" in m}
    assert {stat["Stat"] for stat in sums.values()} == {"Sum"}
    named = {id_: made.get(stat["Metric"]["MetricName"]) for id_, stat in sums.items()}
    expression = result["Expression"]
    if None in named.values():
        return None
    expression = re.sub(r"^IF\((.+?), (.+), (.+)\)$", r"(\2) if (\1) else (\3)", expression)
    if not re.fullmatch(r"([a-z0-9\s*/>()])+", expression):
        raise NotImplementedError(expression)
    try:
        return float(eval(expression, {"__builtins__": {}}, named))
    except ZeroDivisionError:
        return None
