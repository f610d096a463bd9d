import { describe, expect, test } from "vitest";
import { askFrom, bareDebian, debianWithGateway, debianWithPackage, installPackage, ROLES } from "./debian-stage.ts";

const FORMATS = ["deb", "rpm"] as const;
/** What the package managers keep for themselves, and what lives. */
const NOT_OURS = ["/opt", "/var/log", "/var/cache", "/var/lib/apt", "/var/lib/dpkg", "/var/lib/systemd", "/root/.rpmdb", "/etc/*-"];
const FILES = `find / -xdev ${NOT_OURS.map((path) => `-path '${path}' -prune -o`).join(" ")} -print | sort`;
const ACCOUNTS = "cat /etc/passwd /etc/group /etc/shadow /etc/gshadow";
const REMOVE = { deb: "DEBIAN_FRONTEND=noninteractive apt-get purge -y -q imdsgate", rpm: "rpm -e imdsgate" };

describe.for(FORMATS)("the .%s", (format) => {
  test("is installed, runs by the Node it brings, and starts nothing by itself", async () => {
    const host = await bareDebian();
    expect(await installPackage(host, format)).toContain("then: systemctl enable --now imdsgate-rules imdsgate\n");
    expect(await host.sh("command -v node nodejs; imdsgate version")).toMatch(/^imdsgate \d+\.\d+\.\d+ \(node v24\.\d+\.\d+\)\n$/);
    expect((await host.attempt("systemctl is-active imdsgate imdsgate.socket imdsgate-rules")).stdout).toBe(
      "inactive\ninactive\ninactive\n",
    );
    expect(await host.sh("nft list ruleset")).toBe("");
    expect(await host.sh("id -Gn imdsgate; stat -c '%U %a' /etc/imdsgate/imdsgate.yaml")).toBe("imdsgate\nroot 644\n");
    expect((await host.attempt("imdsgate doctor")).stdout).toContain("nft");
  });

  test("gives a container its role, and one without a role none", async () => {
    const host = await debianWithGateway(format);
    expect(await askFrom(host, "web", ROLES)).toBe("200 web-role");
    expect(await askFrom(host, "batch", ROLES)).toBe("404");
    expect(await askFrom(host, "batch", "/latest/meta-data/instance-id")).toMatch(/^200 i-/);
  });

  test("leaves nothing when it is removed for good: no file, no account, no rule", async () => {
    const host = await bareDebian();
    const look = async () => [await host.sh(FILES), await host.sh(ACCOUNTS), await host.sh("nft list ruleset")];
    const before = await look();
    await installPackage(host, format);
    await host.sh("systemctl enable --now imdsgate-rules imdsgate");
    expect(await host.sh("nft list tables")).toContain("imdsgate");
    expect(await host.sh(REMOVE[format])).toContain("imdsgate's rules are out");
    expect(await look()).toEqual(before);
    expect((await host.attempt("systemctl is-active imdsgate.socket imdsgate")).stdout).toBe("inactive\ninactive\n");
  });
});

test("what the operator wrote stays when the .deb is removed, and goes when it is purged", async () => {
  const host = await debianWithPackage();
  await host.sh("dpkg -r imdsgate");
  expect(await host.sh("cat /etc/imdsgate/imdsgate.yaml; getent passwd imdsgate | cut -d: -f1")).toMatch(/^bind:[\s\S]*\nimdsgate\n$/);
  await host.sh("dpkg -P imdsgate");
  expect((await host.attempt("ls -d /etc/imdsgate; getent passwd imdsgate")).stdout).toBe("");
});

test("a group docker that others use since is not taken away", async () => {
  const host = await debianWithPackage();
  await host.sh("useradd --groups docker somebody && dpkg -P imdsgate");
  expect(await host.sh("getent group docker | cut -d: -f1,4")).toBe("docker:somebody\n");
});

test("until the gateway runs, and after it was stopped, containers reach no metadata at all", async () => {
  const host = await debianWithPackage();
  expect(await askFrom(host, "web", ROLES)).toBe("200 host-role");
  await host.sh("systemctl start imdsgate-rules");
  expect(await askFrom(host, "web", ROLES)).toBe("silence");
  await host.sh("systemctl start imdsgate");
  expect(await askFrom(host, "web", ROLES)).toBe("200 web-role");
  await host.sh("systemctl stop imdsgate.socket");
  expect(await askFrom(host, "web", ROLES)).toBe("no connection");
});

const DOCKER = `[Unit]
After=network-online.target containerd.service
Wants=network-online.target
[Service]
Type=oneshot
ExecStart=/usr/sbin/nft list table inet imdsgate-closed
RemainAfterExit=yes
[Install]
WantedBy=multi-user.target
`;

test("when all is started together, as at boot, the rules stand before Docker starts, and after nftables has flushed its own", async () => {
  const host = await debianWithPackage();
  await host.sh(`cat >/etc/systemd/system/docker.service <<'END'\n${DOCKER}END`);
  await host.sh(
    "systemctl daemon-reload && systemctl enable nftables docker imdsgate-rules imdsgate && systemctl start sysinit.target multi-user.target",
  );
  expect(await host.sh("systemctl is-active nftables docker imdsgate-rules imdsgate | xargs")).toBe("active active active active\n");
  expect(await askFrom(host, "web", ROLES)).toBe("200 web-role");
  expect(await host.sh("journalctl -o cat | grep -ci 'ordering cycle' || true")).toBe("0\n");
});

test("rules whose process is ended by chance at boot are in all the same before Docker starts", async () => {
  const host = await debianWithPackage();
  await host.sh(`cat >/etc/systemd/system/docker.service <<'END'\n${DOCKER}END`);
  // the first of the unit's two tries ends as a program of V8's does that has found itself broken
  await host.sh(
    `mv /usr/bin/imdsgate /usr/bin/imdsgate-itself && cat >/usr/bin/imdsgate <<'END'\n#!/bin/sh\n! mkdir /tmp/tried 2>/dev/null || kill -TRAP $$\nexec /usr/bin/imdsgate-itself "$@"\nEND`,
  );
  await host.sh("chmod 755 /usr/bin/imdsgate && systemctl daemon-reload && systemctl enable nftables docker imdsgate-rules imdsgate");
  await host.sh("systemctl start sysinit.target multi-user.target");
  expect(await host.sh("systemctl is-active docker imdsgate-rules imdsgate | xargs")).toBe("active active active\n");
  expect(await host.sh("journalctl -o cat -u imdsgate-rules | grep -c -i trap || true")).not.toBe("0\n");
});

test("rules that cannot be put in at boot keep no gateway from starting, which puts them in itself", async () => {
  const host = await debianWithPackage();
  await host.sh(
    "mkdir -p /etc/systemd/system/imdsgate-rules.service.d && printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' >/etc/systemd/system/imdsgate-rules.service.d/broken.conf",
  );
  await host.sh("systemctl daemon-reload && systemctl enable imdsgate-rules imdsgate && systemctl start multi-user.target");
  expect(await host.sh("systemctl is-active imdsgate-rules imdsgate.socket imdsgate || true")).toMatch(/\ninactive\nactive\n$/);
  expect(await askFrom(host, "web", ROLES)).toBe("200 web-role");
  await host.sh("systemctl stop imdsgate");
  expect(await askFrom(host, "web", ROLES)).toBe("no connection");
});

describe("the unit", () => {
  test("is what systemd understands, without a word, and exposed by 2.1 at most", async () => {
    const host = await debianWithPackage();
    expect(await host.attempt("systemd-analyze verify imdsgate.service imdsgate.socket imdsgate-rules.service")).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
    for (const unit of ["imdsgate.service", "imdsgate-rules.service"]) {
      const said = await host.sh(`systemd-analyze security --no-pager --offline=true /usr/lib/systemd/system/${unit}`);
      expect(Number(/exposure level for [\w.-]+: ([\d.]+)/.exec(said)?.[1])).toBeLessThanOrEqual(2.1);
    }
  });

  test("runs it as its own user, with one capability, a filter of system calls, and no core dumps", async () => {
    const host = await debianWithGateway();
    const status = await host.sh(
      "grep -E '^(CapEff|CapPrm|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/$(systemctl show -P MainPID imdsgate)/status",
    );
    const admin = "0000000000001000";
    expect(
      Object.fromEntries(
        status
          .trim()
          .split("\n")
          .map((line) => line.split(/:\s+/)),
      ),
    ).toEqual({
      CapEff: admin,
      CapPrm: admin,
      CapBnd: admin,
      CapAmb: admin,
      NoNewPrivs: "1",
      Seccomp: "2",
    });
    expect(await host.sh("ps -o user=,supgrp= -p $(systemctl show -P MainPID imdsgate) | xargs")).toBe("imdsgate docker,imdsgate\n");
    expect(await host.sh("grep -i 'core file' /proc/$(systemctl show -P MainPID imdsgate)/limits")).toMatch(
      /^Max core file size\s+0\s+0\s/,
    );
  });

  test("opens no inspector at SIGUSR1", async () => {
    const host = await debianWithGateway();
    const pid = await host.sh("systemctl show -P MainPID imdsgate");
    await host.sh(`kill -USR1 ${pid}`);
    for (let count = 0; count < 5; count += 1) expect(await askFrom(host, "web", ROLES)).toBe("200 web-role");
    expect(await host.sh("ss -Hltn sport = :9229; journalctl -u imdsgate -o cat | grep -ci debugger || true")).toBe("0\n");
    expect(await host.sh("systemctl show -P MainPID imdsgate")).toBe(pid);
  });

  test("is told where it listens and by what rules", async () => {
    const host = await debianWithGateway();
    expect(await host.sh("systemctl show -P StatusText imdsgate")).toBe("0.0.0.0:18169 [::]:18169 rules=nftables\n");
  });
});
