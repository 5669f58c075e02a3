"""The API: two routes, each for GET and POST, their throttle and log, browsers, a domain, or no API at all."""

import json
from itertools import product

import pytest
from cloudformation import TEMPLATE, Stack
from deployments import EVERY_WAY, CERTIFICATE, NEW_BUCKET
from samcli.lib.providers.api_provider import ApiProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

ROUTES = ["/paid/get/job/status", "/v1/toolkit/job/status"]
DOMAIN = {"DomainName": "api.example.com", "CertificateArn": CERTIFICATE}


@EVERY_WAY
def test_the_api_has_exactly_the_two_routes_and_they_lead_to_the_alias(parameters):
    stack = Stack(**parameters)
    (api,) = stack.of_type("AWS::ApiGatewayV2::Api").values()
    assert {path: sorted(methods) for path, methods in api["Body"]["paths"].items()} == {
        path: ["get", "post"] for path in ROUTES
    }
    for path, method in product(ROUTES, ["get", "post"]):
        integration = api["Body"]["paths"][path][method]["x-amazon-apigateway-integration"]
        assert integration == {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "payloadFormatVersion": "2.0",
            "timeoutInMillis": 10500,
            "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
            "<StatusFunction.Arn>:live/invocations",
        }
    # A new route waits for the version that serves it.
    assert "StatusFunctionAliaslive" in stack.references["StatusApi"]
    # A route could also be made outside the API's body.
    assert not stack.of_type("AWS::ApiGatewayV2::Route") and not stack.of_type("AWS::Lambda::Url")
    assert len(stack.of_type("AWS::ApiGatewayV2::Api")) == 1 and not stack.of_type("AWS::ApiGateway::RestApi")


@EVERY_WAY
def test_only_these_routes_of_this_api_may_invoke_the_alias(parameters):
    permissions = Stack(**parameters).of_type("AWS::Lambda::Permission").values()
    assert sorted(permissions, key=lambda p: p["SourceArn"]) == [
        {
            "Action": "lambda:InvokeFunction",
            "FunctionName": "<StatusFunctionAliaslive>",
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": f"arn:aws:execute-api:us-east-1:123456789012:<StatusApi>/*/{method}{path}",
        }
        for method, path in product(["GET", "POST"], ROUTES)
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_sam_local_serves_these_routes():
    # It does not know every way to name a function in an integration, and leaves out a route without a word.
    stacks, _ = SamLocalStackProvider.get_stacks(str(TEMPLATE))
    served = {
        (route.path, method, route.function_name, route.payload_format_version)
        for route in ApiProvider(stacks).api.routes
        for method in route.methods
    }
    assert served == {(path, method, "StatusFunction", "2.0") for path in ROUTES for method in ("GET", "POST")}


def test_the_stage_throttles_and_logs_json():
    (stage,) = Stack(**NEW_BUCKET, ThrottleRate=20, ThrottleBurst=40).of_type("AWS::ApiGatewayV2::Stage").values()
    assert (stage["StageName"], stage["AutoDeploy"]) == ("$default", True)
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": "20", "ThrottlingBurstLimit": "40"}
    assert stage["AccessLogSettings"]["DestinationArn"] == "<AccessLog.Arn>"
    # Quoted, so that it stays JSON when API Gateway writes "-" for what does not apply.
    logged = set(json.loads(stage["AccessLogSettings"]["Format"]).values())
    # Nothing that has the query string in it, where a GET has its job's id.
    assert logged == {
        f"$context.{name}"
        for name in (
            "integration.requestId",
            "identity.sourceIp",
            "status",
            "integration.status",
        )
    }


def test_browsers_are_kept_out_by_default():
    (api,) = Stack(**NEW_BUCKET).of_type("AWS::ApiGatewayV2::Api").values()
    assert "cors" not in json.dumps(api)


def test_browsers_of_allowed_origins_may_call_and_read_the_headers():
    stack = Stack(**NEW_BUCKET, AllowedOrigins="https://a.example.com,https://b.example.com")
    (api,) = stack.of_type("AWS::ApiGatewayV2::Api").values()
    assert api["Body"]["x-amazon-apigateway-cors"] == {
        "allowOrigins": ["https://a.example.com", "https://b.example.com"],
        "allowMethods": ["GET", "POST"],
        "allowHeaders": ["content-type", "if-none-match", "x-api-key"],
        "exposeHeaders": ["etag", "last-modified", "retry-after", "sunset", "x-job-outcome", "x-job-stalled", "x-request-id"],
        "maxAge": 3600,
    }


def test_there_is_no_domain_by_default():
    stack = Stack(**NEW_BUCKET)
    assert not stack.of_type("AWS::ApiGatewayV2::DomainName") and not stack.of_type("AWS::ApiGatewayV2::ApiMapping")
    assert stack.outputs["Endpoint"] == "https://<StatusApi>.execute-api.us-east-1.amazonaws.com"
    assert "DomainTarget" not in stack.outputs


@pytest.mark.parametrize(
    "base_path, endpoint", [("", "https://api.example.com"), ("jobs", "https://api.example.com/jobs")]
)
def test_a_custom_domain_leads_to_the_stage(base_path, endpoint):
    stack = Stack(**NEW_BUCKET, **DOMAIN, BasePath=base_path)
    (domain,) = stack.of_type("AWS::ApiGatewayV2::DomainName").values()
    assert domain == {
        "DomainName": "api.example.com",
        "DomainNameConfigurations": [
            {"CertificateArn": CERTIFICATE, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}
        ],
    }
    (mapping,) = stack.of_type("AWS::ApiGatewayV2::ApiMapping").values()
    assert mapping.pop("ApiMappingKey", "") == base_path
    assert mapping == {"ApiId": "<StatusApi>", "Stage": "<StatusApiApiGatewayDefaultStage>", "DomainName": "<Domain>"}
    assert stack.outputs["Endpoint"] == endpoint
    assert f"'{endpoint}/v1/toolkit/job/status'" in stack.outputs["Curl"]
    assert stack.outputs["DomainTarget"] == "<Domain.RegionalDomainName>"


@pytest.mark.parametrize(
    "parameters, closed",
    [
        ({}, False),
        (DOMAIN, False),
        (DOMAIN | {"DisableExecuteApiEndpoint": "true"}, True),
        # A rule refuses this. Even without the rule, nobody would be locked out.
        ({"DisableExecuteApiEndpoint": "true"}, False),
    ],
)
def test_the_address_of_api_gateway_can_be_closed_where_there_is_a_domain(parameters, closed):
    (api,) = Stack(**NEW_BUCKET, **parameters).of_type("AWS::ApiGatewayV2::Api").values()
    (server,) = api["Body"]["servers"]
    assert server == {"x-amazon-apigateway-endpoint-configuration": {"disableExecuteApiEndpoint": closed}}


@pytest.mark.parametrize("observation", ["Lean", "Full"])
def test_a_stack_can_leave_its_own_api_out(observation):
    own, without = (Stack(**NEW_BUCKET, Observation=observation, Gateway=gateway) for gateway in ("HttpApi", "None"))
    of_the_api = {
        "StatusApi",
        "StatusApiApiGatewayDefaultStage",
        "StatusFunctionPaidGetPermission",
        "StatusFunctionPaidRoutePermission",
        "StatusFunctionToolkitGetPermission",
        "StatusFunctionToolkitRoutePermission",
        "AccessLog",
        "GatewayErrorRatioAlarm",
    } | ({"RateLimitedFilter"} if observation == "Full" else set())
    assert own.resources.keys() - without.resources.keys() == of_the_api
    assert own.outputs.keys() - without.outputs.keys() == {"Endpoint", "Curl", "AccessLog"}
    # Nothing else changes but what looks at the API.
    assert {name for name in without.resources if without.resources[name] != own.resources[name]} <= {
        "PollsAlarm",
        "Dashboard",
    }


def test_without_its_own_api_no_service_may_invoke_the_function():
    stack = Stack(**NEW_BUCKET, Gateway="None", Observation="Full")
    doors = ("AWS::ApiGateway", "AWS::Lambda::Permission", "AWS::Lambda::Url", "AWS::ElasticLoadBalancing")
    assert [name for name, resource in stack.resources.items() if resource["Type"].startswith(doors)] == []
    assert "execute-api" not in json.dumps(stack.resources) + json.dumps(stack.outputs)


def test_without_its_own_api_a_stack_makes_no_domain():
    # A rule refuses this. Even without the rule, nothing would refer to what is not there.
    stack = Stack(**NEW_BUCKET, **DOMAIN, Gateway="None")
    assert not stack.of_type("AWS::ApiGatewayV2::DomainName") and "DomainTarget" not in stack.outputs
