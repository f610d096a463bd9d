# A driver (loop.sh tells what it is asked): the AWS Common Runtime in C with its IMDS provider, as the C++ SDK's S3-CRT client and others have it.
# STS is asked with a request that names the key and is not signed.
import json
import os
import re
import select
import sys
import time
import urllib.request
from importlib.metadata import version

import awscrt.auth
import awscrt.io

command, *numbers = sys.argv[1:]


def new_provider():
    return awscrt.auth.AwsCredentialsProvider.new_default_chain()


def key_of(provider):
    return provider.get_credentials().result(10).access_key_id


def arn_of(key):
    url = f"{os.environ['AWS_ENDPOINT_URL_STS']}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = urllib.request.Request(url, headers={"Authorization": f"AWS4-HMAC-SHA256 Credential={key}/"})
    return re.search("<Arn>(.*)</Arn>", urllib.request.urlopen(request).read().decode())[1]


if command == "version":
    print(version("awscrt"))
if command == "use":
    provider = new_provider()
    for number in range(int(numbers[0])):
        if number > 0:
            select.select([], [], [], float(numbers[1]))
        try:
            key = key_of(provider)
            print(json.dumps({"arn": arn_of(key), "key": key}), flush=True)
        except Exception as error:
            print(json.dumps({"error": repr(error)}), flush=True)
if command == "time":
    for _ in range(int(numbers[0])):
        began = time.perf_counter()
        key_of(new_provider())
        print(json.dumps({"ms": (time.perf_counter() - began) * 1000}), flush=True)
