import { existsSync } from "node:fs";
import { join } from "node:path";

/** An unmodified client, and how it is tried. */
export interface Client {
  readonly name: string;
  /** light: part of `./scripts/test`. heavy: `npm run clients -- --all`. */
  readonly weight: "light" | "heavy";
  /** Its driver; what a driver is told on the command line stands in drivers/loop.sh. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** How its credentials are made to end while it runs: with a lease of twelve seconds, or with its clock and everybody's moved on. none: it takes none. */
  readonly expiry: "short lease" | "moved clock" | "none";
  /** Files beside those of its command that it cannot do without. */
  readonly needs?: readonly string[];
  /** It speaks IMDSv1 alone. */
  readonly hasNoTokens?: boolean;
  /** How often it is timed, where it is slow. */
  readonly times?: number;
  /** What a reader of the table has to know. */
  readonly note?: string;
}

const DRIVERS = join(import.meta.dirname, "drivers");
const TOOLS = join(import.meta.dirname, "../../.tools");
const BUILT = join(TOOLS, "clients");
const THREE = "three processes";
const FAKETIME = ["/usr/bin/faketime"];

const shell = (name: string): readonly string[] => [join(DRIVERS, `${name}.sh`)];

const python = (environment: string, driver: string): readonly string[] => [join(BUILT, environment, "bin/python"), join(DRIVERS, driver)];
const java = (module: string): readonly string[] => ["/usr/bin/java", "-cp", `${join(BUILT, "java", module)}/*`, "Driver"];

/** All clients that this project tries, in the order of docs/clients.md. */
export const CLIENTS: readonly Client[] = [
  {
    name: "AWS CLI",
    weight: "light",
    command: shell("aws-cli"),
    needs: [join(TOOLS, "venv/bin/aws")],
    env: { PATH: `${join(TOOLS, "venv/bin")}:/usr/bin:/bin` },
    expiry: "short lease",
    times: 5,
    note: "time of a whole `get-caller-identity`",
  },
  {
    name: "boto3",
    weight: "light",
    command: [join(TOOLS, "venv/bin/python"), join(DRIVERS, "boto3_driver.py")],
    expiry: "moved clock",
    needs: FAKETIME,
  },
  { name: "AWS SDK for JavaScript v3", weight: "light", command: [process.execPath, join(DRIVERS, "sdk-js.ts")], expiry: "short lease" },
  { name: "AWS SDK for Go v1", weight: "light", command: [join(BUILT, "go/sdk-v1")], expiry: "short lease" },
  {
    name: "AWS SDK for Go v2",
    weight: "light",
    command: [join(BUILT, "go/sdk-v2")],
    expiry: "short lease",
    note: "one that Go 1.19 still builds",
  },
  { name: "curl", weight: "light", command: shell("curl"), needs: ["/usr/bin/curl"], expiry: "short lease", note: THREE },
  { name: "wget", weight: "light", command: shell("wget"), needs: ["/usr/bin/wget"], expiry: "short lease", note: THREE },
  {
    name: "s3fs",
    weight: "light",
    command: shell("s3fs"),
    needs: ["/usr/bin/s3fs", "/dev/fuse", ...FAKETIME],
    hasNoTokens: true,
    expiry: "moved clock",
    times: 3,
    note: "time of a mount and a read. Debian's asks for the role's name without a token",
  },
  {
    name: "AWS CLI v2",
    weight: "heavy",
    command: shell("aws-cli"),
    needs: ["/usr/bin/aws"],
    env: { PATH: "/usr/bin:/bin" },
    expiry: "short lease",
    times: 5,
    note: "Debian's. Time of a whole `get-caller-identity`",
  },
  { name: "AWS SDK for Go v2, newest", weight: "heavy", command: [join(BUILT, "go-newest/sdk-v2")], expiry: "short lease" },
  {
    name: "AWS SDK for Java v1",
    weight: "heavy",
    command: java("sdk-v1"),
    needs: [join(BUILT, "java/sdk-v1"), ...FAKETIME],
    expiry: "moved clock",
  },
  { name: "AWS SDK for Java v2", weight: "heavy", command: java("sdk-v2"), needs: [join(BUILT, "java/sdk-v2")], expiry: "short lease" },
  { name: "AWS SDK for Rust", weight: "heavy", command: [join(BUILT, "rust/sdk")], expiry: "short lease" },
  {
    name: "AWS SDK for Ruby v3",
    weight: "heavy",
    command: ["/usr/bin/ruby", join(DRIVERS, "ruby_driver.rb")],
    needs: ["/usr/share/rubygems-integration/all/specifications/aws-sdk-core-3.168.1.gemspec"],
    expiry: "short lease",
    note: "Debian's",
  },
  {
    name: "AWS SDK for C++, in pyarrow",
    weight: "heavy",
    command: python("python/newest", "pyarrow_driver.py"),
    needs: FAKETIME,
    expiry: "moved clock",
    note: "pyarrow's version. Time of a first read",
  },
  { name: "AWS Common Runtime, in awscrt", weight: "heavy", command: python("python/newest", "awscrt_driver.py"), expiry: "short lease" },
  {
    name: "boto3 of 2020",
    weight: "heavy",
    command: python("python/old", "boto3_driver.py"),
    needs: FAKETIME,
    expiry: "moved clock",
    note: "one of the first with tokens",
  },
  {
    name: "object_store, in obstore",
    weight: "heavy",
    command: python("python/newest", "obstore_driver.py"),
    expiry: "short lease",
    note: "obstore's version. Time of a first read",
  },
  {
    name: "AsyncAws for PHP",
    weight: "heavy",
    command: ["/usr/bin/php", join(DRIVERS, "async_aws.php")],
    needs: ["/usr/share/php/AsyncAws/Core"],
    hasNoTokens: true,
    expiry: "short lease",
  },
  { name: "minio-go", weight: "heavy", command: [join(BUILT, "go-newest/minio-go")], expiry: "short lease" },
  {
    name: "rclone",
    weight: "heavy",
    command: shell("rclone"),
    needs: ["/usr/bin/rclone"],
    expiry: "short lease",
    times: 5,
    note: "time of a whole read",
  },
  {
    name: "aws-sdk-go-base",
    weight: "heavy",
    command: [join(BUILT, "go-newest/aws-sdk-go-base")],
    expiry: "short lease",
    note: "Terraform's. The account that it takes from `iam/info` is the role's",
  },
  {
    name: "cloud-init",
    weight: "heavy",
    command: python("python/newest", "cloud_init_driver.py"),
    env: { PYTHONPATH: join(BUILT, "cloud-init/usr/lib/python3/dist-packages") },
    needs: [join(BUILT, "cloud-init")],
    expiry: "none",
    times: 3,
    note: "time of a whole crawl. It takes `iam/info` and no credentials",
  },
];

/** Why a client cannot be tried on this machine; undefined when it can. */
export function obstacleOf({ command, needs = [] }: Client): string | undefined {
  const missing = [...command, ...needs].find((file) => file.startsWith("/") && !file.endsWith("*") && !existsSync(file));
  return missing === undefined ? undefined : `${missing} is missing`;
}
