/** Clients that were looked for and could not be had on the machines on which this project is tested: Debian 12 with the registries of npm, Python, Go, Rust and Maven. */
export const ABSENT: readonly { readonly name: string; readonly reason: string }[] = [
  { name: "AWS SDK for PHP", reason: "it comes by Composer alone; Debian has no package of it. AsyncAws is tried in its place" },
  { name: "AWS SDK for .NET", reason: "it comes by NuGet alone, and Debian 12 has no .NET" },
  { name: "fluent-bit", reason: "Debian 12 has no package of it, and its own repository and its source archive are out of reach" },
  { name: "Terraform", reason: "its program comes from its maker alone. `aws-sdk-go-base` is the part of it that asks for credentials" },
  { name: "mc", reason: "not built. `minio-go` is the part of it that asks for credentials" },
  { name: "s3fs with tokens for the role's name", reason: "newer than Debian 12's 1.90, which is the only one to be had" },
];
