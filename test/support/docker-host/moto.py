# moto as STS, S3, SQS and CloudWatch with IAM enforced: moto.py HOST PORT starts it, makes users, roles and a bucket, and prints the host's access key as JSON.
#
# All is made while enforcement is off. moto names an action after the service's signing name, so CloudWatch's are `monitoring:` there; the policy has both names.
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import boto3

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ROLES = {
    "fluentd-role": {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": "arn:aws:s3:::logs/*"},
    "php-role": {"Effect": "Allow", "Action": ["cloudwatch:PutMetricData", "monitoring:PutMetricData", "sqs:ListQueues"], "Resource": "*"},
}


def start(host, port):
    program = os.path.join(os.path.dirname(sys.executable), "moto_server")
    server = subprocess.Popen([program, "-H", host, "-p", port], env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "1000000"})
    for _ in range(300):
        try:
            socket.create_connection((host, int(port)), 1).close()
            return server
        except OSError:
            time.sleep(0.1)
    sys.exit("moto does not listen")


def post(url, body):
    urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "text/plain"}), timeout=10).read()


def policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make(endpoint):
    def client(service):
        return boto3.client(service, endpoint_url=endpoint, region_name=REGION, aws_access_key_id="root", aws_secret_access_key="root")

    iam = client("iam")
    iam.create_user(UserName="host")
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{ACCOUNT}:role/*"}
    iam.put_user_policy(UserName="host", PolicyName="assume", PolicyDocument=policy(assume))
    trust = policy({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/host"}, "Action": "sts:AssumeRole"})
    for role, statement in ROLES.items():
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
        iam.put_role_policy(RoleName=role, PolicyName="may", PolicyDocument=policy(statement))
    client("s3").create_bucket(Bucket="logs", CreateBucketConfiguration={"LocationConstraint": REGION})
    return iam.create_access_key(UserName="host")["AccessKey"]


host, port = sys.argv[1:]
server = start(host, port)
key = make(f"http://{host}:{port}")
post(f"http://{host}:{port}/moto-api/reset-auth", b"0")
print(json.dumps({"moto": {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}}), flush=True)
server.wait()
