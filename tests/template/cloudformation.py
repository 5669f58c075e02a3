"""What CloudFormation makes of template.yaml, without CloudFormation.

The template goes through SAM's own transform, as it does in AWS; then this module does for a set
of parameters what CloudFormation does: judges rules and conditions, drops what is conditioned
away and resolves intrinsic functions. A reference to a resource becomes `<LogicalId>`, a
`GetAtt` `<LogicalId.Attribute>`, so that tests can compare whole properties. A reference to
something that does not exist under these parameters raises `Dangling`. An intrinsic function it
doesn't know raises too: it never guesses.
"""

import copy
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).parents[2] / "template.yaml"

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "job-status",
    "AWS::URLSuffix": "amazonaws.com",
}

NO_VALUE = object()


class Dangling(Exception):
    """A reference to a parameter, resource or condition that is not there."""


class NoManagedPolicies:
    """SAM asks AWS for its managed policies' ARNs; this template names none."""

    def load(self):
        return {}


def source():
    """The template as written, intrinsic functions in their long form."""
    return yaml_parse(TEMPLATE.read_text())


@cache
def transformed(rollout="Canary10Percent5Minutes"):
    """The transform's output; of the parameters, it depends on Rollout alone."""
    template = source()
    # `sam package` puts the uploaded artifact here.
    template["Resources"]["StatusFunction"]["Properties"]["CodeUri"] = "s3://artifacts/job-status.zip"
    return transform(template, {"Rollout": rollout}, NoManagedPolicies())


class Stack:
    """The template under some parameters, the others at their defaults."""

    def __init__(self, **parameters):
        self.template = copy.deepcopy(transformed(parameters.get("Rollout", "Canary10Percent5Minutes")))
        self.parameters = {name: self._value(name, parameters.pop(name, None)) for name in self.template["Parameters"]}
        if parameters:
            raise Dangling(f"no such parameters: {parameters}")
        self._here, self._present = None, set()
        self.conditions = {name: self._truth(c) for name, c in self.template["Conditions"].items()}
        self.references = defaultdict(set)
        """Logical id of a resource, or `Outputs` → logical ids that it refers to."""

        present = {n: r for n, r in self.template["Resources"].items() if self._holds(r)}
        self._present = set(present)
        self.resources = {name: self._resolve_in(name, resource) for name, resource in present.items()}
        for self._here, resource in present.items():
            depends_on = resource.get("DependsOn", [])
            for name in [depends_on] if isinstance(depends_on, str) else depends_on:
                self._resource(name)
        self.outputs = {
            name: self._resolve_in("Outputs", output["Value"])
            for name, output in self.template["Outputs"].items()
            if self._holds(output)
        }

    def of_type(self, type_):
        """Logical id → properties."""
        return {n: r.get("Properties", {}) for n, r in self.resources.items() if r["Type"] == type_}

    def properties(self, logical_id):
        return self.resources[logical_id]["Properties"]

    def refusals(self):
        """What the rules have against these parameters."""
        return [
            assertion["AssertDescription"]
            for rule in self.template["Rules"].values()
            if self._truth(rule.get("RuleCondition", {"Fn::Equals": ["", ""]}))
            for assertion in rule["Assertions"]
            if not self._truth(assertion["Assert"])
        ]

    def _value(self, name, given):
        declared = self.template["Parameters"][name]
        value = declared["Default"] if given is None else given
        if declared["Type"] == "CommaDelimitedList":
            return str(value).split(",")
        return str(value)

    def _holds(self, declared):
        return "Condition" not in declared or self.conditions[declared["Condition"]]

    def _truth(self, expression):
        if not isinstance(expression, dict) or len(expression) != 1:
            raise NotImplementedError(expression)
        ((function, argument),) = expression.items()
        match function:
            case "Condition":
                return self._truth(self.template["Conditions"][argument])
            case "Fn::Equals":
                left, right = (self._resolve(side) for side in argument)
                return str(left) == str(right)
            case "Fn::Not":
                (inner,) = argument
                return not self._truth(inner)
            case "Fn::And":
                return all(self._truth(inner) for inner in argument)
            case "Fn::Or":
                return any(self._truth(inner) for inner in argument)
        raise NotImplementedError(expression)

    def _resolve_in(self, where, value):
        self._here = where
        return self._resolve(value)

    def _resolve(self, value):
        if isinstance(value, list):
            return [item for item in map(self._resolve, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._intrinsic(function, argument)
        resolved = {name: self._resolve(member) for name, member in value.items()}
        return {name: member for name, member in resolved.items() if member is not NO_VALUE}

    def _intrinsic(self, function, argument):
        match function:
            case "Ref":
                return self._ref(argument)
            case "Fn::GetAtt":
                name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
                return f"<{self._resource(name)}.{attribute}>"
            case "Fn::If":
                condition, then, otherwise = argument
                if condition not in self.conditions:
                    raise Dangling(f"no condition {condition}")
                return self._resolve(then if self.conditions[condition] else otherwise)
            case "Fn::Sub":
                text, names = (argument, {}) if isinstance(argument, str) else argument
                names = {name: self._resolve(value) for name, value in names.items()}
                return re.sub(r"\$\{(!?)([^}]+)\}", lambda found: self._substitute(found, names), text)
            case "Fn::Join":
                separator, items = argument
                return separator.join(self._resolve(items))
            case "Fn::Select":
                index, items = argument
                return self._resolve(items)[int(index)]
            case "Fn::Split":
                separator, text = argument
                return self._resolve(text).split(separator)
        raise NotImplementedError(function)

    def _substitute(self, found, names):
        escaped, name = found.groups()
        if escaped:
            return "${" + name + "}"
        if name in names:
            return str(names[name])
        return str(self._intrinsic("Fn::GetAtt" if "." in name else "Ref", name))

    def _ref(self, name):
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.parameters:
            return self.parameters[name]
        return f"<{self._resource(name)}>"

    def _resource(self, name):
        if name not in self._present:
            raise Dangling(f"{self._here} refers to {name}, which is not there")
        self.references[self._here].add(name)
        return name
