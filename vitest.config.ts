import { defineConfig } from "vitest/config";

/** Unit and contract tests run side by side; those that need a kernel or a Docker daemon of their own run one after the other. */
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    pool: "forks",
  },
});
