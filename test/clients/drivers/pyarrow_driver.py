# A driver (loop.sh tells what it is asked): the AWS SDK for C++, which pyarrow has in it, with its default chain. Its time is that of a first read from S3.
import json
import os
import select
import sys
import time

import pyarrow
import pyarrow.fs

command, *numbers = sys.argv[1:]


def new_bucket():
    endpoint = os.environ["S3_ENDPOINT"].removeprefix("http://")
    return pyarrow.fs.S3FileSystem(endpoint_override=endpoint, scheme="http", region=os.environ["AWS_REGION"])


def read(bucket):
    return bucket.open_input_stream("bucket/whoami").read().decode().strip()


if command == "version":
    print(pyarrow.__version__)
if command == "use":
    bucket = new_bucket()
    for number in range(int(numbers[0])):
        if number > 0:
            select.select([], [], [], float(numbers[1]))
        try:
            print(read(bucket), flush=True)
        except Exception as error:
            print(json.dumps({"error": repr(error)}), flush=True)
if command == "time":
    for _ in range(int(numbers[0])):
        began = time.perf_counter()
        read(new_bucket())
        print(json.dumps({"ms": (time.perf_counter() - began) * 1000}), flush=True)
