import type { Random } from "../../fuzz/random.ts";
import { type Chronicle, countAct, during, type KnownContainer } from "./chronicle.ts";
import { CHURN_FOLDER, type NETWORKS, ROLES } from "./churn-stage.ts";
import { type DockerApi, DockerRefusal } from "./docker-api.ts";

/** What a lane works with. */
export interface LaneParts {
  readonly docker: DockerApi;
  readonly chronicle: Chronicle;
  readonly random: Random;
  readonly number: number;
  /** How long a container waits between two rounds of questions. */
  readonly askerPauseMs: number;
  /** Resolves when another container may come. */
  readonly pace: () => Promise<void>;
  /** Whether another act shall be done. */
  readonly goOn: () => boolean;
  /** Resolves at once, unless dockerd is being restarted: then once it answers again. */
  readonly dockerIsUp: () => Promise<void>;
}

interface Place {
  readonly network: keyof typeof NETWORKS;
  container: KnownContainer | undefined;
  /** Who was there before, until it is surely gone. */
  old: KnownContainer | undefined;
}

/** Of 13 addresses each, nearly all are taken by the lanes together. */
const PLACES: readonly Place["network"][] = ["small", "small", "small", "six"];
const ASKER = ["python3", "-I", "-S", "/churn/asker.py"];
/** How long requests can still be waiting for an answer that found no way back: as long as `asker.py` does. */
const NO_WAY_BACK_MS = 12_000;
/** How long an answer can be under way when the gateway hears of it. */
const HEARD_MS = 1_000;

/** One of several that work side by side: has a few containers at a time, and does to them what operators and accidents do. */
export async function runLane(parts: LaneParts): Promise<void> {
  const places: Place[] = PLACES.map((network) => ({ network, container: undefined, old: undefined }));
  while (parts.goOn()) {
    await parts.pace();
    const place = parts.random.pick(places);
    try {
      if (place.container) await actOn(place, place.container, parts);
      else await settle(place, parts);
    } catch (error) {
      if (!(error instanceof DockerRefusal)) throw error;
      countAct(parts.chronicle, "refused by Docker");
      await parts.dockerIsUp();
      await clear(place, parts);
    }
  }
}

const ACTS = { replace, crash, restart, pause, rename, reconnect, execute };
const CHANCES: readonly (keyof typeof ACTS)[] = [
  ...Array.from({ length: 9 }, () => "replace" as const),
  ...(["crash", "restart", "pause", "rename", "rename", "reconnect", "reconnect", "execute", "execute"] as const),
];

type Act = (place: Place, container: KnownContainer, parts: LaneParts) => Promise<void>;

async function actOn(place: Place, container: KnownContainer, parts: LaneParts): Promise<void> {
  const name = parts.random.pick(CHANCES);
  const act: Act = ACTS[name];
  await act(place, container, parts);
  countAct(parts.chronicle, name);
}

async function settle(place: Place, parts: LaneParts): Promise<void> {
  const container = await create(place, parts, {});
  await parts.docker.start(container.id);
  place.container = container;
}

/** A successor stands ready, so that it starts at the moment when the address comes free. */
async function replace(place: Place, old: KnownContainer, parts: LaneParts): Promise<void> {
  const { docker, random } = parts;
  const isTakenOver = random.chance(30);
  const successor = await create(place, parts, isTakenOver ? { ipv4: await docker.ipv4Of(old.id, place.network) } : {});
  Object.assign(place, { container: successor, old });
  const end = random.pick([docker.kill, docker.kill, docker.stop, docker.remove]);
  await during(old.ordeals, "ending", 0, () => end(old.id));
  await docker.start(successor.id);
  if (end !== docker.remove) await docker.remove(old.id);
}

/** It ends by itself, without anybody's call. */
async function crash(place: Place, old: KnownContainer, parts: LaneParts): Promise<void> {
  const { docker } = parts;
  const shortLived = await create(place, parts, { lifeMs: 1_000 });
  Object.assign(place, { container: shortLived, old });
  await docker.remove(old.id);
  await docker.start(shortLived.id);
  await docker.wait(shortLived.id);
  Object.assign(place, { container: undefined, old: shortLived });
  await settle(place, parts);
  await docker.remove(shortLived.id);
}

async function restart(_: Place, { id, ordeals }: KnownContainer, { docker }: LaneParts): Promise<void> {
  await during(ordeals, "ending", 0, () => docker.restart(id));
}

async function pause(_: Place, { id, ordeals }: KnownContainer, { docker, random }: LaneParts): Promise<void> {
  await during(ordeals, "paused", 1_000, async () => {
    await docker.pause(id);
    await new Promise((resolve) => setTimeout(resolve, random.below(1_000)));
    await docker.unpause(id);
  });
}

async function rename(_: Place, container: KnownContainer, { docker, random }: LaneParts): Promise<void> {
  const name = `${container.names.at(-1)?.replace(/-again.*/, "")}-again${random.below(1_000_000)}`;
  container.names.push(name);
  await during(container.ordeals, "renaming", HEARD_MS, () => docker.rename(container.id, name));
}

async function reconnect(place: Place, { id, ordeals }: KnownContainer, { docker, random }: LaneParts): Promise<void> {
  const other = place.network === "second" ? "small" : "second";
  await during(ordeals, "connecting", 200, () => docker.connect(id, other));
  await new Promise((resolve) => setTimeout(resolve, random.below(1_500)));
  await during(ordeals, "disconnecting", NO_WAY_BACK_MS, () => docker.disconnect(id, other));
}

async function execute(_: Place, container: KnownContainer, { docker }: LaneParts): Promise<void> {
  await docker.exec(container.id, [...ASKER, `/churn/answers/${container.key}.exec`, container.role ?? "", "3"]);
}

async function clear(place: Place, { docker }: LaneParts): Promise<void> {
  const { container, old } = place;
  Object.assign(place, { container: undefined, old: undefined });
  for (const one of [container, old]) if (one) await docker.remove(one.id).catch(() => undefined);
}

async function create(place: Place, parts: LaneParts, special: { ipv4?: string | undefined; lifeMs?: number }): Promise<KnownContainer> {
  const { docker, chronicle, random, number, askerPauseMs } = parts;
  const key = `c${number}x${chronicle.containers.size}`;
  const role = random.chance(12) ? undefined : random.below(ROLES);
  const isNamed = role !== undefined && random.chance(40);
  const name = isNamed ? `named-${role}-${key}` : `any-${key}`;
  const container = {
    name,
    labels: role !== undefined && !isNamed ? { "churn.role": String(role) } : {},
    environment: {
      CHURN_PAUSE_MS: String(askerPauseMs),
      ...(special.lifeMs === undefined ? {} : { CHURN_LIFE_MS: String(special.lifeMs) }),
    },
    command: [...ASKER, `/churn/answers/${key}`, role === undefined ? "" : `role-${role}`],
    network: place.network,
    ipv4: special.ipv4,
    mounts: [`${CHURN_FOLDER}:/churn`],
  };
  const known: KnownContainer = {
    key,
    id: "",
    role: role === undefined ? undefined : `role-${role}`,
    names: [name],
    ordeals: [],
  };
  chronicle.containers.set(key, known); // before anything else, so that no other lane has this key
  const created = { ...known, id: await docker.create(container) };
  chronicle.containers.set(key, created);
  return created;
}
