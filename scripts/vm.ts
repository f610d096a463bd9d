// vm.ts FOLDER [--tcg]: boots the disk of .tools/vm and tells the story of a host on it; FOLDER holds what it needs and writes. ./scripts/vm calls it, in
// namespaces of their own. Exit code 0 when all was as it should be, else 1.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runProgram } from "../test/support/docker-host/running-program.ts";
import { ROOT } from "./lib/test-programs.ts";
import { type Accelerator, bootMachine, type Machine, probeAccelerator } from "./lib/vm-machine.ts";
import { startOutside } from "./lib/vm-outside.ts";
import { type TellStep, tellStory } from "./lib/vm-story.ts";

const { values, positionals } = parseArgs({ options: { tcg: { type: "boolean", default: false } }, allowPositionals: true });
const [folder = ""] = positionals;
const began = performance.now();
let steps = 0;
let machine: Machine | undefined;

// As the first process of its namespace it has no signal that ends it by itself.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
process.on("exit", () =>
  process.stdout.write(`${process.exitCode === 0 ? "All went as told" : "It did not go as told"}, ${seconds(began)} s in all\n`),
);
try {
  await tellAll();
  process.exit(0);
} catch (error) {
  process.stdout.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
  await showJournal();
  process.exit(1);
}

async function tellAll(): Promise<void> {
  let accelerator: Accelerator | undefined = values.tcg ? "tcg" : undefined;
  await step("the network outside, and how to compute", async () => {
    await startOutside();
    accelerator ??= await probeAccelerator();
    return accelerator === "kvm" ? "KVM" : "TCG: QEMU computes each instruction, and all is some ten times slower";
  });
  await step("first boot", async () => {
    const disk = join(ROOT, ".tools/vm/disk.img");
    await runProgram({ program: "qemu-img", args: ["create", "-q", "-f", "qcow2", "-F", "raw", "-b", disk, join(folder, "disk.qcow2")] });
    machine = await bootMachine({ folder, story: join(folder, "story.img"), accelerator: accelerator ?? "tcg" });
    return "";
  });
  if (machine && accelerator) await tellStory(machine, accelerator, step);
}

async function step(...[name, act]: Parameters<TellStep>): Promise<void> {
  steps += 1;
  process.stdout.write(`${String(steps).padStart(2)}. ${name} ... `);
  const from = performance.now();
  const said = await act();
  process.stdout.write(`${seconds(from)} s\n${said.replace(/^(?=.)/gm, "      ")}${said === "" ? "" : "\n"}`);
}

function seconds(from: number): string {
  return ((performance.now() - from) / 1000).toFixed(1);
}

/** What the machine can still say of what went wrong. */
async function showJournal(): Promise<void> {
  if (!machine) return;
  const last = machine.console().split("\n").slice(-20).join("\n");
  const journal = await machine
    .sh("journalctl --no-pager --lines 60 --unit imdsgate --unit imdsgate-rules --unit imdsgate.socket --unit docker")
    .catch((error: unknown) => String(error));
  process.stdout.write(`\nthe end of its console:\n${last}\n\nthe end of its journal:\n${journal}\n`);
}
