# A driver (loop.sh tells what it is asked): boto3. Its time is that of a new session's first credentials.
import json
import os
import select
import sys
import time

import boto3
import botocore.session

command, *numbers = sys.argv[1:]
if command == "version":
    print(boto3.__version__)
if command == "use":
    session = boto3.Session()
    sts = session.client("sts", endpoint_url=os.environ["AWS_ENDPOINT_URL_STS"])
    for number in range(int(numbers[0])):
        if number > 0:
            select.select([], [], [], float(numbers[1]))  # time.sleep fails under libfaketime
        try:
            arn = sts.get_caller_identity()["Arn"]
            print(json.dumps({"arn": arn, "key": session.get_credentials().get_frozen_credentials().access_key}), flush=True)
        except Exception as error:  # noqa: BLE001 - whatever the client finds is told
            print(json.dumps({"error": str(error)}), flush=True)
if command == "time":
    for _ in range(int(numbers[0])):
        resolver = botocore.session.Session().get_component("credential_provider")
        began = time.perf_counter()
        resolver.load_credentials().get_frozen_credentials()
        print(json.dumps({"ms": round((time.perf_counter() - began) * 1000, 2)}), flush=True)
