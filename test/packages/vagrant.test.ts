import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootDebian, type DebianHost } from "./debian-host.ts";

/** What `vagrant-provision install` adds to a Debian; scripts/lib/vagrant.sh makes it. */
const LAYER = join(import.meta.dirname, "../../.tools/vagrant/upper");
const LIMIT_MS = 240_000;
const KEY = "ASIA[A-Z0-9]{16}";

describe.skipIf(!existsSync(LAYER))("a Debian that vagrant-provision made", { timeout: LIMIT_MS }, () => {
  let debian: DebianHost;

  beforeAll(async () => {
    debian = await bootDebian([LAYER]);
    // Docker keeps its layers on a file system that is no overlay itself, as the box has one.
    await debian.sh("systemctl stop docker.socket docker containerd");
    await debian.sh("for folder in docker containerd; do mkdir -p /var/lib/$folder; mount -t tmpfs tmpfs /var/lib/$folder; done");
    await debian.sh("/opt/checkout/scripts/vagrant-provision start");
  }, LIMIT_MS);
  afterAll(() => debian?.stop());

  test("runs Docker and imdsgate as services, with the redirect in", async () => {
    expect(await debian.sh("systemctl is-active docker imdsgate-dev")).toBe("active\nactive\n");
    expect(await debian.sh("nft list tables")).toContain("table inet imdsgate");
    expect(await debian.sh("imdsgate version")).toMatch(/^imdsgate \d+\.\d+\.\d+/);
  });

  test("its story shows two containers with their own roles, one without, and the log", async () => {
    const told = await debian.sh("story");
    expect(told).toMatch(
      new RegExp(
        [
          `^fluentd  asks for its role: fluentd-role, access key ${KEY}`,
          `php      asks for its role: php-role, access key ${KEY}`,
          "cron     asks for its role: there is none",
          "",
          "and the log says \\(journalctl --unit imdsgate-dev\\):",
          ".*fluentd[^]*php[^]*cron.*",
        ].join("\n"),
      ),
    );
  });

  test("the story fails where it is not as told", async () => {
    await debian.sh("systemctl stop imdsgate-dev");
    expect(await debian.attempt("story")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("php      asks for its role: there is none"),
    });
    await debian.sh("systemctl start imdsgate-dev");
    await debian.sh("story");
  });

  test("provisioning it again changes nothing", async () => {
    const containers = () => debian.sh("docker ps --no-trunc --format '{{.ID}} {{.Names}}'");
    const before = await containers();
    await debian.sh("/opt/checkout/scripts/vagrant-provision");
    expect(await containers()).toBe(before);
    await debian.sh("story");
  });
});
