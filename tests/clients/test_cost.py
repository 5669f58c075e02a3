"""What polling costs: simulates the table in docs/clients.md, by the rule that the endpoint really follows."""

import re
import uuid

import pytest

from conftest import KEY, ROOT
from scripted import send


def retry_after(age: float) -> int:
    """The endpoint's rule: a tenth of the status file's age in whole seconds, within 1 to 30."""
    return min(max(int(age) // 10, 1), 30)


def polls(states: list[int], wait) -> list[int]:
    """When a job is asked about until it is over, if it stays in its states for so many seconds each."""
    written = [sum(states[:n]) for n in range(len(states))]
    times = [0]
    while times[-1] < sum(states):
        now = times[-1]
        times.append(now + wait(now - max(start for start in written if start <= now)))
    return times


def row(states: list[int]) -> dict[str, float]:
    every_second, by_header = polls(states, lambda age: 1), polls(states, retry_after)
    return {
        "every second": len(every_second),
        "by `retry-after`": len(by_header),
        "fewer by": round(len(every_second) / len(by_header), 1),
        "late": by_header[-1] - sum(states),
        "at most": by_header[-1] - by_header[-2],
    }


def seconds(text: str) -> int:
    number, unit = text.split()
    return int(number) * {"s": 1, "min": 60, "h": 3600}[unit]


def documented() -> list[tuple[list[int], dict[str, float]]]:
    """The rows of the table: how long a job stays in its states, and what is said about that."""
    rows = []
    for line in (ROOT / "docs/clients.md").read_text().splitlines():
        cells = [cell.strip("* ") for cell in line.split("|")[1:-1]]
        if len(cells) == 5 and "runs for" in cells[0]:
            states = [seconds(time) for time in re.findall(r"\d+ (?:s|min|h)\b", cells[0])]
            late, _, at_most = cells[4].partition(", at most ")
            said = {
                "every second": int(cells[1]),
                "by `retry-after`": int(cells[2]),
                "fewer by": float(cells[3].removesuffix(" ×")),
                "late": seconds(late),
                "at most": seconds(at_most) if at_most else None,
            }
            rows.append((states, said))
    return rows


def test_the_table_is_what_the_simulation_gives():
    rows = documented()
    assert [300] in [states for states, _ in rows] and len(rows) == 6
    for states, said in rows:
        simulated = row(states)
        if said["at most"] is None:
            del said["at most"], simulated["at most"]
        assert simulated == said, states


@pytest.mark.parametrize("state", ["queued", "running", "submitted"])
def test_the_rule_is_the_endpoints(local, jobs, state):
    job = str(uuid.uuid4())
    for age in (0, 5, 15, 25, 55, 123, 295, 305, 100_000):
        jobs.write(job, {"job_status": state}, age)
        reply = send(local.url, headers={"x-api-key": KEY}, body=f'{{"job_id":"{job}"}}'.encode())
        assert reply.headers["retry-after"] == str(retry_after(age)), age
