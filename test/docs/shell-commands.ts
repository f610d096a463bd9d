import { type CodeBlock, codeBlocksOf, type Page } from "./pages.ts";

/** What a line of a shell begins with. */
const PROGRAMS = [
  ...["imdsgate", "docker", "podman", "npm", "npx", "node", "git", "vagrant", "ruby"],
  ...[
    "systemctl",
    "journalctl",
    "systemd-analyze",
    "apt",
    "apt-get",
    "dpkg",
    "dnf",
    "yum",
    "rpm",
    "nsenter",
    "nft",
    "iptables",
    "ip",
    "sysctl",
  ],
  ...["curl", "aws", "awslocal", "localstack", "kubectl", "python", "python3", "python3.13", "pip", "cd", "export", "cp", "install", "tee"],
];
const FIRST_WORD = /^(?:\$ )?(?:sudo )?(?:[A-Z_]+=\S+ )*(\.{0,2}\/?[\w./-]+)/;

/** The commands of each block of a page that is for a shell: a line each, continued lines as one, comments left out. */
export function shellBlocksOf(page: Page): readonly (readonly string[])[] {
  return codeBlocksOf(page)
    .map((block) => ({ block, commands: commandsOf(block) }))
    .filter(({ block, commands }) => isForShell(block, commands))
    .map(({ commands }) => commands);
}

function commandsOf({ lines }: CodeBlock): readonly string[] {
  return lines
    .join("\n")
    .replace(/ *\\\n/g, " ")
    .split("\n")
    .map((line) => line.replace(/^\$ /, "").replace(/\s+# .*$/, ""))
    .filter((line) => line !== "" && !line.startsWith("#"));
}

function isForShell({ language }: CodeBlock, [first = ""]: readonly string[]): boolean {
  if (["sh", "bash", "console", "shell"].includes(language)) return true;
  if (language !== "") return false;
  const [, word = ""] = FIRST_WORD.exec(first) ?? [];
  return PROGRAMS.includes(word) || /^\.?\/?(?:\.\/)?(?:scripts|packaging)\//.test(word);
}
