import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { askFrom, debianWithPackage, ROLES } from "./debian-stage.ts";

/** The block of the page that begins with the comment `# FILE`. */
function fileInPage(file: string): string {
  const page = readFileSync(join(import.meta.dirname, "../../docs/install.md"), "utf8");
  const [block = ""] = page.match(new RegExp(`# ${file.replaceAll("/", "\\/")}\\n[\\s\\S]*?(?=\`\`\`)`)) ?? [];
  if (block === "") throw new Error(`docs/install.md has no block for ${file}`);
  return block;
}

test("on a host with iptables-legacy the rules are root's work, and the gateway waits for them", async () => {
  const host = await debianWithPackage();
  await host.sh("for name in iptables ip6tables; do update-alternatives --set $name /usr/sbin/$name-legacy; done");
  for (const unit of ["imdsgate-rules", "imdsgate"]) {
    const file = `/etc/systemd/system/${unit}.service.d/legacy.conf`;
    await host.sh(`mkdir -p ${file.replace(/\/[^/]*$/, "")} && cat >${file} <<'END'\n${fileInPage(file)}END`);
  }
  await host.sh(
    "echo 'rules: external' >>/etc/imdsgate/imdsgate.yaml && systemctl daemon-reload && systemctl start imdsgate-rules imdsgate",
  );
  expect(await askFrom(host, "web", ROLES)).toBe("200 web-role");
  expect(await host.sh("systemctl show -P StatusText imdsgate; ps -o user= -p $(systemctl show -P MainPID imdsgate)")).toBe(
    "0.0.0.0:18169 [::]:18169 rules=external\nimdsgate\n",
  );
  expect(await host.sh("iptables-legacy-save; nft list ruleset")).toMatch(/REDIRECT --to-ports 18169/);
});
