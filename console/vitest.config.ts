import { join } from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { "@": join(import.meta.dirname, "src") } },
  test: { include: ["checks/**/*.test.ts", "src/**/*.test.ts"], testTimeout: 60_000 },
});
