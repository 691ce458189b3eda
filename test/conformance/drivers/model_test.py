"""What model.py must find, and what it must let pass: run by TestModel."""

import unittest

import botocore.session

import model

SESSION = botocore.session.Session()
ID = {"x-amzn-RequestId": "1"}
XML, JSON, JSON11 = ({**ID, "content-type": t} for t in ("text/xml", "application/json", "application/x-amz-json-1.1"))
USER = "<User><Path>/</Path><UserName>u</UserName><UserId>AIDA</UserId><Arn>a</Arn><CreateDate>2026-01-02T03:04:05Z</CreateDate></User>"
DESCRIBE = '{"association": {"createdAt": 1.5, "tags": {"a": "b"}%s}}'


def get_user(result, meta="<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>", name="GetUser", more=""):
    return f'<{name}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><{name}Result>{result}</{name}Result>{meta}{more}</{name}Response>'


def refused(code, more="", kind="Sender"):
    return (
        '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        f"<Error><Type>{kind}</Type><Code>{code}</Code><Message>m</Message>{more}</Error><RequestId>1</RequestId></ErrorResponse>"
    )


# What it is, operation, status, headers, body, and a part of each problem in order.
CASES = [
    ("a good answer", "iam:GetUser", 200, XML, get_user(USER), []),
    ("an unknown element", "iam:GetUser", 200, XML, get_user(USER.replace("<Path>", "<Else>1</Else><Path>")), ["User.Else is no member of User"]),
    ("a missing element", "iam:GetUser", 200, XML, get_user(USER.replace("<UserId>AIDA</UserId>", "")), ["User.UserId is missing, which User requires"]),
    ("an element twice", "iam:GetUser", 200, XML, get_user(USER.replace("<Path>/</Path>", "<Path>/</Path>" * 2)), ["User.Path is there twice"]),
    ("a time of another form", "iam:GetUser", 200, XML, get_user(USER.replace("T03:04:05Z", "")), ["which is no timestamp"]),
    ("text beside members", "iam:GetUser", 200, XML, get_user("x" + USER), ["holds text beside its members"]),
    ("elements in a text", "iam:GetUser", 200, XML, get_user(USER.replace(">u<", "><b/><")), ["holds elements; it is a string"]),
    ("no result", "iam:GetUser", 200, XML, get_user("").replace("<GetUserResult></GetUserResult>", ""), ["want ['GetUserResult', 'ResponseMetadata']"]),
    ("no request id", "iam:GetUser", 200, XML, get_user(USER, "<ResponseMetadata/>"), ["has no RequestId"]),
    ("a result of nothing", "iam:DeleteUser", 200, XML, get_user("", name="DeleteUser"), ["want ['ResponseMetadata']"]),
    ("an empty output", "iam:UpdateRole", 200, XML, get_user("", name="UpdateRole"), []),
    ("a list of other elements", "iam:ListUsers", 200, XML, get_user("<Users><User/></Users>", name="ListUsers"),
     ["is a User, want member", *["is missing"] * 5]),
    ("a value that is not listed", "iam:ListAccessKeys", 200, XML,
     get_user("<AccessKeyMetadata><member><Status>Off</Status></member></AccessKeyMetadata>", name="ListAccessKeys"), ["'Off', which statusType does not list"]),
    ("not XML", "iam:GetUser", 200, XML, "{}", ["is not well-formed"]),
    ("another type of content", "iam:GetUser", 200, JSON, get_user(USER), ["has the content type"]),
    ("a declared error", "iam:GetUser", 404, XML, refused("NoSuchEntity"), []),
    ("its status", "iam:GetUser", 400, XML, refused("NoSuchEntity"), ["with status 400; the model says 404"]),
    ("its shape's name", "iam:GetUser", 404, XML, refused("NoSuchEntityException"), ["which the model spells NoSuchEntity"]),
    ("an error that is not declared", "iam:GetUser", 409, XML, refused("EntityAlreadyExists"), ["which the operation does not declare"]),
    ("a common error", "iam:GetUser", 403, XML, refused("AccessDenied"), []),
    ("a member that the error has not", "iam:GetUser", 404, XML, refused("NoSuchEntity", "<Else>1</Else>"), ["Error.Else is no member"]),
    ("whose fault it is", "iam:GetUser", 404, XML, refused("NoSuchEntity", kind="Receiver"), ["Error.Type is 'Receiver'"]),
    ("good JSON", "eks:DescribePodIdentityAssociation", 200, JSON, DESCRIBE % "", []),
    ("an unknown member", "eks:DescribePodIdentityAssociation", 200, JSON, DESCRIBE % ', "Namespace": "n"', ["association.Namespace is no member"]),
    ("a member twice", "eks:DescribePodIdentityAssociation", 200, JSON, DESCRIBE % ', "namespace": "n", "namespace": "n"', ["a member is there twice"]),
    ("null", "eks:DescribePodIdentityAssociation", 200, JSON, DESCRIBE % ', "namespace": null', ["association.namespace is 'None', which is no string"]),
    ("a number for a text", "eks:DescribePodIdentityAssociation", 200, JSON, DESCRIBE % ', "roleArn": 1', ["which is no string"]),
    ("a text for a time", "eks:DescribePodIdentityAssociation", 200, JSON, DESCRIBE % ', "modifiedAt": "2026"', ["which is no timestamp"]),
    ("a text for a boolean", "eks:DescribePodIdentityAssociation", 200, JSON, DESCRIBE % ', "disableSessionTags": "true"', ["which is no boolean"]),
    ("no header", "eks:DescribePodIdentityAssociation", 200, {"content-type": "application/json"}, DESCRIBE % "", ["has no header x-amzn-RequestId"]),
    ("a missing member", "eks-auth:AssumeRoleForPodIdentity", 200, JSON, '{"subject": {"namespace": "n", "serviceAccount": "s"}}',
     ["audience is missing", "podIdentityAssociation is missing", "assumedRoleUser is missing", "credentials is missing"]),
    ("a declared error in JSON", "eks:DescribeCluster", 404, {**JSON, "x-amzn-errortype": "ResourceNotFoundException"}, '{"message": "m", "clusterName": "c"}', []),
    ("a member that it has not", "eks:DescribeCluster", 404, {**JSON, "x-amzn-errortype": "ResourceNotFoundException"}, '{"message": "m", "name": "c"}',
     ["name is no member"]),
    ("an error without a name", "eks:DescribeCluster", 404, JSON, '{"message": "m"}', ["does not name its error"]),
    ("an error without a text", "eks:DescribeCluster", 404, {**JSON, "x-amzn-errortype": "ResourceNotFoundException"}, "{}", ["message is missing"]),
    ("JSON 1.1", "organizations:ListRoots", 200, JSON11, '{"Roots": [{"Id": "r-1"}]}', []),
    ("an unknown member in JSON 1.1", "organizations:ListRoots", 200, JSON11, '{"roots": []}', ["roots is no member"]),
    ("an error in JSON 1.1", "organizations:ListRoots", 400, JSON11, '{"__type": "AWSOrganizationsNotInUseException", "Message": "m"}', []),
]


class Headers(dict):
    """As those of botocore: names in any case."""

    def get(self, name, default=None):
        return next((v for k, v in self.items() if k.lower() == name.lower()), default)


class Test(unittest.TestCase):
    def test_cases(self):
        for what, call, status, headers, body, want in CASES:
            with self.subTest(what):
                service, name = call.split(":")
                operation = SESSION.get_service_model(service).operation_model(name)
                response = {"status_code": status, "headers": Headers(headers), "body": body.encode()}
                got = model.problems(operation, response)
                self.assertEqual(len(got), len(want), got)
                for g, w in zip(got, want):
                    self.assertIn(w, g)


if __name__ == "__main__":
    unittest.main()
