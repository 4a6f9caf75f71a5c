import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The journey first: it signs in for all that come after. */
class InOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]) {
    return files.sort((one, other) => one.moduleId.localeCompare(other.moduleId));
  }
}

// Pictures of the documents are made only where pictures are asked for.
const { images } = JSON.parse(process.env.CONSOLE_STAGE ?? "{}") as { images?: string };

// The tests go through one gateway in order: each begins where the one before it ended.
export default defineConfig({
  root: import.meta.dirname,
  resolve: { alias: { "@": join(import.meta.dirname, "..", "src") } },
  test: {
    include: ["*.e2e.ts", ...(images ? ["*.images.ts"] : [])],
    fileParallelism: false,
    sequence: { concurrent: false, sequencer: InOrder },
    bail: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "threads",
    isolate: false,
  },
});
