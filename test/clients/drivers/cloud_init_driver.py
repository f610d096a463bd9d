# A driver (loop.sh tells what it is asked): the crawl of cloud-init's EC2 data source, with all that it lists but the credentials, which it
# leaves out: it tells the instance profile. Its time is that of a whole crawl.
import json
import os
import select
import sys
import time

from cloudinit import helpers, version
from cloudinit.sources import DataSourceEc2

command, *numbers = sys.argv[1:]


def crawl():
    paths = helpers.Paths({"cloud_dir": os.environ["HOME"], "run_dir": os.environ["HOME"]})
    source = DataSourceEc2.DataSourceEc2({}, None, paths)
    source._cloud_name = DataSourceEc2.CloudNames.AWS  # it reads that from a DMI table, which is not there
    if not source.wait_for_metadata_service():
        raise RuntimeError("it finds no metadata service")
    metadata = source.crawl_metadata()["meta-data"]
    missing = {"instance-id", "placement", "iam"} - set(metadata)
    if missing:
        raise RuntimeError(f"{missing} are missing in {sorted(metadata)}")
    return metadata["iam"]


if command == "version":
    print(version.version_string())
if command == "use":
    for number in range(int(numbers[0])):
        if number > 0:
            select.select([], [], [], float(numbers[1]))
        try:
            print(json.dumps({"profile": crawl()["info"]["InstanceProfileArn"]}), flush=True)
        except Exception as error:
            print(json.dumps({"error": repr(error)}), flush=True)
if command == "time":
    for _ in range(int(numbers[0])):
        began = time.perf_counter()
        crawl()
        print(json.dumps({"ms": (time.perf_counter() - began) * 1000}), flush=True)
