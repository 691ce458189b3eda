"""A pod's program: says who it is and puts an object where told, with the default credential chain and nothing else."""

import json
import sys

import boto3
from botocore.config import Config

print(json.dumps({"arn": boto3.client("sts").get_caller_identity()["Arn"]}))
if len(sys.argv) == 3:
    bucket, key = sys.argv[1:]
    boto3.client("s3", config=Config(s3={"addressing_style": "path"})).put_object(Bucket=bucket, Key=key, Body=b"python")
