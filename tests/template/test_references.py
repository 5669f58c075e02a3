"""Under whatever parameters, every reference leads to something that is there."""

import itertools
from graphlib import TopologicalSorter

import pytest
from cloudformation import Stack
from deployments import CERTIFICATE, KMS_KEY, TOPIC

# A value that switches each condition to the side its default is not on.
SWITCHES = {
    "ExistingBucket": "acme-jobs--use1-az4--x-s3",
    "StatusExpiryDays": "0",
    "KmsKeyArn": KMS_KEY,
    "ApiKeysObject": "s3://acme-config--use1-az4--x-s3/keyring.json",
    "Architecture": "x86_64",
    "ReservedConcurrency": "50",
    "Gateway": "None",
    "AllowedOrigins": "https://app.example.com",
    "DomainName": "api.example.com",
    "CertificateArn": CERTIFICATE,
    "BasePath": "jobs",
    "DisableExecuteApiEndpoint": "true",
    "AlarmTopicArn": TOPIC,
    "Rollout": "AllAtOnce",
    "Observation": "Full",
}


# Any combination of seven switches or fewer has at most three that are on, or at most three that are off.
FEW = range(4)
COUNTS = [*FEW, *(len(SWITCHES) - count for count in reversed(FEW))]


def test_every_condition_has_a_switch():
    default = Stack().conditions
    # Without an API of its own, a stack has no domain either.
    with_api = {name: value for name, value in SWITCHES.items() if name != "Gateway"}
    switched = [Stack(**parameters).conditions for parameters in (SWITCHES, with_api)]
    assert [name for name in default if all(default[name] == conditions[name] for conditions in switched)] == []


@pytest.mark.parametrize("count", COUNTS)
def test_every_reference_leads_somewhere_and_nothing_waits_for_itself(count):
    # Resolving is the test: a reference to what its conditions took away raises.
    for names in itertools.combinations(SWITCHES, count):
        stack = Stack(**{name: SWITCHES[name] for name in names})
        TopologicalSorter(stack.references).prepare()  # raises on a cycle
