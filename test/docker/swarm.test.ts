import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, startRealImds, startSts } from "../support/docker-host/gateway.ts";
import { wrongAnswers } from "../support/docker-host/role-asker.ts";
import { type Swarm, startSwarm, type Task } from "../support/swarm.ts";

const LIMIT_MS = 120_000;
/** How many tasks a service is scaled to. Two cores take a good second for each; IMDSGATE_TEST_SWARM_TASKS=50 is for when there is time. */
const MOST = Number(process.env["IMDSGATE_TEST_SWARM_TASKS"] ?? "16");
/** Time for the scaling: up, down, and another up, with all else that the machine has to do. */
const SCALE_LIMIT_MS = LIMIT_MS + MOST * 8_000;
const BINDINGS = ["swarm:web=web-role", "swarm:shop_*=shop-role", "label:team=api=api-role"];
const ROLES: Readonly<Record<string, string>> = { web: "web-role", shop_cart: "shop-role", api: "api-role", nobody: "" };

let swarm: Swarm;

beforeAll(async () => {
  swarm = await startSwarm(3);
  await startRealImds(swarm.manager);
  const sts = await startSts(swarm.manager, "secret");
  const flags = [...BINDINGS.flatMap((binding) => ["--bind", binding]), "--account", "123456789012", "--sts-endpoint", sts];
  await Promise.all(swarm.hosts.map((host) => startGateway(host, flags)));
  await Promise.all([
    swarm.createService("web", 3),
    swarm.createService("shop_cart", 1),
    swarm.createService("api", 2, "--container-label", "team=api"),
    // a label of the service alone is on none of its containers
    swarm.createService("nobody", 1, "--label", "team=api"),
  ]);
}, LIMIT_MS);
afterAll(() => swarm?.stop());

test("each task has its service's role, from docker_gwbridge, on whichever node it runs", { timeout: LIMIT_MS }, async () => {
  const tasks = await answeredTasks();
  expect(servicesOf(tasks)).toEqual(["api", "api", "nobody", "shop_cart", "web", "web", "web"]);
  expect(mistakesIn(tasks)).toEqual([]);
  expect(new Set(tasks.map(({ host }) => host)).size).toBe(3);
  for (const { host } of tasks) {
    const inspected = await host.docker("network", "inspect", "--format", "{{range .IPAM.Config}}{{.Subnet}}{{end}}", "docker_gwbridge");
    expect(inspected).toBe("172.18.0.0/16");
  }
  expect(tasks.every(({ answers }) => answers.at(-1)?.addresses.some((address) => address.startsWith("172.18.")))).toBe(true);
  // a mistake would be seen: by the role of another service all that were served are wrong
  expect(mistakesIn(tasks.map((task) => ({ ...task, service: task.service === "web" ? "api" : "web" }))).length).toBeGreaterThanOrEqual(6);
});

test("a task that moves to another node has the same role there", { timeout: LIMIT_MS }, async () => {
  const before = await answeredTasks();
  const [, drained] = swarm.hosts;
  await swarm.manager.docker("node", "update", "--availability", "drain", "docker-host-2");
  await expect.poll(async () => (await swarm.tasks()).filter(({ host }) => host === drained).length, { timeout: 60_000 }).toBe(0);
  await expect.poll(async () => servicesOf(await swarm.tasks()), { timeout: 60_000 }).toEqual(servicesOf(before));
  const after = await answeredTasks();
  expect(after.filter(({ id }) => before.every((task) => task.id !== id)).length).toBeGreaterThanOrEqual(1);
  expect(mistakesIn(after)).toEqual([]);
  await swarm.manager.docker("node", "update", "--availability", "active", "docker-host-2");
});

test("scaled up and down, and another service up in its place, each task has its own service's role", {
  timeout: SCALE_LIMIT_MS,
}, async () => {
  await swarm.scale("web", MOST);
  const many = (await answeredTasks()).filter(({ service }) => service === "web");
  await swarm.scale("web", 1);
  await swarm.scale("api", Math.ceil(MOST / 4));
  const others = (await answeredTasks()).filter(({ service }) => service === "api");
  expect([many.length, others.length]).toEqual([MOST, Math.ceil(MOST / 4)]);
  expect(mistakesIn([...many, ...others])).toEqual([]);
  // else nothing was tried: many of the others have an address that a task of the first service had
  const taken = many.flatMap(placesOf);
  expect(others.filter((task) => placesOf(task).some((place) => taken.includes(place))).length).toBeGreaterThanOrEqual(MOST / 10);
});

function servicesOf(tasks: readonly Task[]): readonly string[] {
  return tasks.map(({ service }) => service).toSorted();
}

/** All tasks, once each has been answered three times. */
async function answeredTasks(): Promise<readonly Task[]> {
  await expect.poll(async () => (await swarm.tasks()).filter(({ answers }) => answers.length < 3).length, { timeout: 60_000 }).toBe(0);
  return swarm.tasks();
}

/** The tasks that were told something else than their service's role, or never their own. */
function mistakesIn(tasks: readonly Task[]) {
  return tasks.flatMap(({ service, answers }) => {
    const role = ROLES[service] ?? "";
    const isServed = role === "" || answers.at(-1)?.role === role;
    const wrong = wrongAnswers(role, answers);
    return isServed && wrong.length === 0 ? [] : [{ service, wrong, last: answers.at(-1) }];
  });
}

/** Where a task speaks from: each host has a docker_gwbridge of its own. */
function placesOf({ host, answers }: Task): readonly string[] {
  const hostNumber = swarm.hosts.indexOf(host);
  const addresses = new Set(answers.flatMap((answer) => answer.addresses));
  return [...addresses].filter((address) => address.startsWith("172.18.")).map((address) => `${hostNumber} ${address}`);
}
