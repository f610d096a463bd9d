# A driver (loop.sh tells what it is asked): object_store, the Rust library of Delta Lake, Polars and others, which obstore has in it. It has an IMDS
# client of its own. Its time is that of a first read from S3.
import json
import os
import select
import sys
import time
from importlib.metadata import version

from obstore.store import S3Store

command, *numbers = sys.argv[1:]


def new_bucket():
    endpoint = os.environ["S3_ENDPOINT"]
    return S3Store("bucket", endpoint=endpoint, region=os.environ["AWS_REGION"], client_options={"allow_http": True}, retry_config={"max_retries": 0})


def read(bucket):
    return bytes(bucket.get("whoami").bytes()).decode().strip()


if command == "version":
    print(version("obstore"))
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
