import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished, vi } from "vitest";

export interface AwsEnvironment {
  /** Writes a file of the home folder, `.aws/config` for one, and gives its path. */
  write(name: string, text: string): Promise<string>;
}

/** An environment without any AWS setting but `variables`, and `config` as the configuration file of the SDK, until the test ends. */
export async function useAwsEnvironment(variables: Readonly<Record<string, string>> = {}, config = ""): Promise<AwsEnvironment> {
  const home = await mkdtemp(join(tmpdir(), "imdsgate-test-"));
  onTestFinished(() => rm(home, { recursive: true }));
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) vi.stubEnv(name, undefined);
  // These are set by what is tested: they too are to be as before.
  for (const name of ["AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT"]) vi.stubEnv(name, undefined);
  for (const [name, value] of Object.entries({ HOME: home, ...variables })) vi.stubEnv(name, value);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const write = async (name: string, text: string) => {
    const path = join(home, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    return path;
  };
  await write(".aws/config", config);
  return { write };
}
