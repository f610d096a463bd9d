import { defineConfig } from "vitest/config";

/** Tests run side by side, but for those that tell how soon something is done: scripts/lib/test-groups.ts. */
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    pool: "forks",
    // else one core is left free
    maxWorkers: "100%",
  },
});
