import { isIPv4 } from "node:net";
import { type ConfigFile, readConfigFile } from "../config/config-file.ts";
import { parseRegion } from "../config/places.ts";
import { plainText } from "../config/setting.ts";
import { ImdsgateError } from "../errors.ts";
import { isFields } from "../fields.ts";
import { type Parsed, parsedOrThrow } from "../parsed.ts";
import { type EmbeddedInstance, SIM_INSTANCE } from "../sim/instance-facts.ts";

/** What the command line says of the embedded instance; it wins over the file. */
export interface InstanceWishes {
  readonly file: string | undefined;
  readonly instanceId: string | undefined;
  readonly account: string | undefined;
  readonly region: string | undefined;
}

type Reader = (text: string) => Parsed<string>;

const READERS: Readonly<Record<Exclude<keyof EmbeddedInstance, "tags">, Reader>> = {
  account: matching(/^\d{12}$/, "an account", "12 digits", "111122223333"),
  region: parseRegion,
  availabilityZone: matching(/^[a-z0-9-]{1,40}$/, "an availability zone", "a Region and a letter", "eu-central-1b"),
  instanceId: matching(/^i-[0-9a-z]{1,32}$/, "an instance id", "i- and hexadecimal digits", "i-0123456789abcdef0"),
  instanceType: matching(/^[a-z0-9.-]{1,40}$/, "an instance type", "FAMILY.SIZE", "t3.micro"),
  imageId: matching(/^ami-[0-9a-z]{1,32}$/, "an image", "ami- and hexadecimal digits", "ami-0123456789abcdef0"),
  privateIp: (text) =>
    isIPv4(text) ? { value: text } : { problem: `${JSON.stringify(text)} is no address`, allowed: "IPv4", example: "10.0.0.10" },
  mac: matching(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/, "a link address", "six bytes", "0e:49:61:0f:c3:11"),
  userData: (text) => ({ value: text }),
};

/** The keys of the file. */
export const INSTANCE_KEYS: readonly string[] = [...Object.keys(READERS), "tags"];

/** The instance that the embedded metadata service tells of: from flags, the YAML file, and for the rest that of the demonstration. Throws CONFIG_INVALID and CONFIG_UNREADABLE. */
export function readInstance({ file, ...wishes }: InstanceWishes): EmbeddedInstance {
  const said = file === undefined ? undefined : readConfigFile(file, "--instance");
  if (said) refuseUnknownKeys(said);
  const inFile = said ? textsIn(said) : {};
  const account = parsedFlag("--account", wishes.account, READERS.account) ?? inFile.account ?? SIM_INSTANCE.account;
  const region = parsedFlag("--region", wishes.region, READERS.region) ?? inFile.region ?? SIM_INSTANCE.region;
  const instanceId = parsedFlag("--instance-id", wishes.instanceId, READERS.instanceId) ?? inFile.instanceId ?? SIM_INSTANCE.instanceId;
  return { ...SIM_INSTANCE, availabilityZone: `${region}a`, ...inFile, account, region, instanceId };
}

function parsedFlag(flag: string, text: string | undefined, read: Reader): string | undefined {
  return text === undefined ? undefined : parsedOrThrow(flag, read(text));
}

function textsIn(file: ConfigFile): Partial<EmbeddedInstance> {
  const texts = Object.entries(READERS).flatMap(([key, read]) => {
    const value = file.values[key];
    const origin = `${file.placeOf(key)}, ${key}`;
    return value === undefined ? [] : [[key, parsedOrThrow(origin, read(plainText(value, origin)))] as const];
  });
  return { ...Object.fromEntries(texts), ...(file.values["tags"] === undefined ? {} : { tags: tagsIn(file) }) };
}

/** EC2 shows no instance tags with spaces or slashes in their keys. */
function tagsIn(file: ConfigFile): Readonly<Record<string, string>> {
  const tags = file.values["tags"];
  const origin = `${file.placeOf("tags")}, tags`;
  if (!isFields(tags)) throw new ImdsgateError("CONFIG_INVALID", `${origin}: tags are a map, like: tags: { Name: web }`);
  const readKey = matching(/^[\w+=.,:@-]{1,128}$/, "a tag's key", "letters, digits and _+=.,:@-", "Name");
  return Object.fromEntries(
    Object.entries(tags).map(([key, value]) => [parsedOrThrow(origin, readKey(key)), plainText(value, `${origin} ${key}`)]),
  );
}

function refuseUnknownKeys(file: ConfigFile): void {
  const stranger = Object.keys(file.values).find((key) => !INSTANCE_KEYS.includes(key));
  if (stranger === undefined) return;
  const what = `unknown key ${JSON.stringify(stranger)}; allowed: ${INSTANCE_KEYS.join(", ")}`;
  throw new ImdsgateError("CONFIG_INVALID", `${file.placeOf(stranger)}: ${what}`);
}

function matching(pattern: RegExp, what: string, allowed: string, example: string): Reader {
  return (text) =>
    pattern.test(text) ? { value: text } : { problem: `${JSON.stringify(text)} is no ${what.replace(/^an? /, "")}`, allowed, example };
}
