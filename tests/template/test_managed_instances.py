"""With a capacity provider: a second function on its instances, and the API calls that one."""

import json

import pytest
from cloudformation import NoManagedPolicies, Stack, source
from deployments import EVERY_WAY, CAPACITY_PROVIDER, EXISTING_BUCKET, NEW_BUCKET
from samtranslator.translator.transform import transform

ON = {"CapacityProviderArn": CAPACITY_PROVIDER}


@EVERY_WAY
def test_by_default_nothing_runs_on_managed_instances(parameters):
    stack = Stack(**parameters)
    assert stack.of_type("AWS::Lambda::Function").keys() == {"StatusFunction"}
    assert not {name for name in stack.resources if name.startswith("Managed") or name == "GatewayRole"}
    assert "CapacityProviderConfig" not in json.dumps(stack.resources)
    (api,) = stack.of_type("AWS::ApiGatewayV2::Api").values()
    assert "credentials" not in json.dumps(api)


@EVERY_WAY
def test_the_managed_function_is_the_function_but_for_what_its_instances_change(parameters):
    stack = Stack(**parameters, **ON)
    demand, managed = stack.properties("StatusFunction"), stack.properties("ManagedFunction")
    assert {name: managed[name] for name in managed if managed[name] != demand.get(name)} == {
        "MemorySize": "2048",
        "CapacityProviderConfig": {
            "LambdaManagedInstancesCapacityProviderConfig": {
                "CapacityProviderArn": CAPACITY_PROVIDER,
                "PerExecutionEnvironmentMaxConcurrency": "8",
            }
        },
        "PublishToLatestPublished": False,
    }
    assert demand.keys() <= managed.keys()


def test_memory_and_concurrency_are_those_of_an_environment():
    stack = Stack(**NEW_BUCKET, **ON, EnvironmentMemorySize=8192, MaxConcurrencyPerEnvironment=100, MemorySize=512)
    managed = stack.properties("ManagedFunction")
    (config,) = managed["CapacityProviderConfig"].values()
    assert (managed["MemorySize"], config["PerExecutionEnvironmentMaxConcurrency"]) == ("8192", "100")
    assert stack.properties("StatusFunction")["MemorySize"] == "512"


def test_no_environment_is_too_small_for_the_largest_status_files_it_answers_at_once_by_default():
    parameters = source()["Parameters"]
    least = min(parameters["EnvironmentMemorySize"]["AllowedValues"])
    assert least == parameters["EnvironmentMemorySize"]["Default"] == 2048  # Lambda accepts no less
    assert parameters["MaxConcurrencyPerEnvironment"]["Default"] * parameters["MemorySize"]["Default"] <= least


def test_reserved_concurrency_stays_with_the_function_on_demand():
    stack = Stack(**NEW_BUCKET, **ON, ReservedConcurrency=50)
    assert stack.properties("StatusFunction")["ReservedConcurrentExecutions"] == "50"
    # What managed instances do not have, or have from the provider.
    unknown = {"ReservedConcurrentExecutions", "VpcConfig", "SnapStart", "EphemeralStorage", "FunctionScalingConfig"}
    assert not unknown & stack.properties("ManagedFunction").keys()
    assert "ProvisionedConcurrencyConfig" not in stack.properties("ManagedFunctionAliaslive")


@EVERY_WAY
def test_both_routes_lead_to_the_managed_functions_alias_and_wait_until_it_is_there(parameters):
    stack = Stack(**parameters, **ON)
    (api,) = stack.of_type("AWS::ApiGatewayV2::Api").values()
    methods = [method for path in api["Body"]["paths"].values() for method in path.values()]
    integrations = [method["x-amazon-apigateway-integration"] for method in methods]
    assert [(i["uri"], i["credentials"], i["timeoutInMillis"]) for i in integrations] == [
        (
            "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/<ManagedFunctionAliaslive>/invocations",
            "<GatewayRole.Arn>",
            10500,
        )
    ] * 4
    assert {"ManagedFunctionAliaslive", "GatewayRole"} <= stack.references["StatusApi"]


def test_the_gateways_role_is_made_without_waiting_for_instances_and_may_invoke_the_alias_alone():
    stack = Stack(**NEW_BUCKET, **ON)
    role = stack.properties("GatewayRole")
    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]
    (policy,) = role["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Sid": "InvokeTheAlias",
            "Effect": "Allow",
            "Action": "lambda:InvokeFunction",
            "Resource": "<ManagedFunction.Arn>:live",
        }
    ]
    assert role.keys() == {"AssumeRolePolicyDocument", "Policies"}
    assert stack.references["GatewayRole"] == {"ManagedFunction"}
    # The way back needs none: the function on demand keeps its alias and its permissions.
    permissions = stack.of_type("AWS::Lambda::Permission").values()
    assert [permission["FunctionName"] for permission in permissions] == ["<StatusFunctionAliaslive>"] * 4


@EVERY_WAY
def test_a_new_version_takes_over_by_canary_and_the_old_one_goes_with_its_environments(parameters):
    stack = Stack(**parameters, **ON)
    alias = stack.resources["ManagedFunctionAliaslive"]
    (version,) = (name for name in stack.of_type("AWS::Lambda::Version") if name.startswith("Managed"))
    assert alias["Properties"] == {
        "Name": "live",
        "FunctionName": "<ManagedFunction>",
        "FunctionVersion": f"<{version}.Version>",
    }
    assert stack.resources[version]["DeletionPolicy"] == "Delete"
    demand, managed = (stack.properties(f"{name}DeploymentGroup") for name in ("StatusFunction", "ManagedFunction"))
    assert managed == demand
    assert alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"] == (
        "<ManagedFunctionDeploymentGroup>"
    )


def test_all_at_once_watches_neither_function():
    stack = Stack(**NEW_BUCKET, **ON, Rollout="AllAtOnce")
    assert not stack.of_type("AWS::CodeDeploy::DeploymentGroup")


@pytest.mark.parametrize("parameter, value", [("EnvironmentMemorySize", 4096), ("MaxConcurrencyPerEnvironment", 64)])
def test_a_changed_parameter_of_managed_instances_publishes_a_version(parameter, value):
    before, after = (
        {v["Description"] for name, v in stack.of_type("AWS::Lambda::Version").items() if name.startswith("Managed")}
        for stack in (Stack(**NEW_BUCKET, **ON), Stack(**NEW_BUCKET, **ON, **{parameter: value}))
    )
    assert before != after


def test_alarms_dashboard_and_output_follow_the_function_that_is_called():
    stack = Stack(**NEW_BUCKET, **ON)
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    assert {name: a["Dimensions"] for name, a in alarms.items() if a.get("Namespace") == "AWS/Lambda"} == {
        name: [{"Name": "FunctionName", "Value": "<ManagedFunction>"}]
        for name in ("FunctionErrorsAlarm", "ConcurrencyAlarm")
    }
    board = json.dumps(stack.properties("Dashboard"))
    assert "<ManagedFunction>" in board and "<StatusFunction>" not in board
    assert "/ 1024 * 0 / calls" in board  # an instance is not paid for by the GB-second
    assert stack.outputs["Function"] == "<ManagedFunction>"


def test_the_log_is_one_for_both_so_that_filters_and_queries_see_whichever_answers():
    stack = Stack(**EXISTING_BUCKET, **ON)
    functions = stack.of_type("AWS::Lambda::Function")
    assert {name: function["LoggingConfig"]["LogGroup"] for name, function in functions.items()} == {
        "StatusFunction": "<FunctionLog>",
        "ManagedFunction": "<FunctionLog>",
    }
    assert stack.of_type("AWS::Logs::LogGroup").keys() == {"FunctionLog", "AccessLog"}


def test_sam_accepts_the_parameters_values_in_place_of_references_as_it_meets_them_in_aws():
    template = source()
    for function in ("StatusFunction", "ManagedFunction"):
        template["Resources"][function]["Properties"]["CodeUri"] = "s3://artifacts/job-status.zip"
    defaults = {name: str(parameter["Default"]) for name, parameter in template["Parameters"].items()}
    made = transform(template, defaults | NEW_BUCKET | ON, NoManagedPolicies())["Resources"]
    assert made["ManagedFunction"]["Condition"] == "OnManagedInstances"
    assert "CapacityProviderConfig" not in made["StatusFunction"]["Properties"]
