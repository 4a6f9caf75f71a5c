import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import tailwind from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const COMPRESSED = /\.(js|css|svg|webmanifest|json)$/;

/** Leaves a `.br` and a `.gz` beside each asset, so that the server never compresses. */
function precompressed(): Plugin {
  let folder = "";
  return {
    name: "precompressed",
    apply: "build",
    configResolved(config) {
      folder = resolve(config.root, config.build.outDir, "assets");
    },
    closeBundle() {
      for (const name of readdirSync(folder).filter((each) => COMPRESSED.test(each))) {
        const path = join(folder, name);
        const content = readFileSync(path);
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
        writeFileSync(`${path}.br`, brotliCompressSync(content, { params }));
        writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
      }
    },
  };
}

/** Tells the console which packages it is made of, and under which licences. */
function licences(): Plugin {
  const name = "virtual:licences";
  return {
    name: "licences",
    resolveId: (id) => (id === name ? `\0${name}` : undefined),
    load(id) {
      if (id !== `\0${name}`) return;
      const read = (path: string) =>
        JSON.parse(readFileSync(join(import.meta.dirname, path), "utf8"));
      const found = Object.keys(read("package.json").dependencies).map((each) => {
        const { version, license } = read(join("node_modules", each, "package.json"));
        return { name: each, version, licence: license };
      });
      return `export default ${JSON.stringify(found)}`;
    },
  };
}

export default defineConfig({
  plugins: [react(), tailwind(), licences(), precompressed()],
  resolve: { alias: { "@": join(import.meta.dirname, "src") } },
  html: { cspNonce: "__NONCE__" },
  build: {
    target: "es2024",
    manifest: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    rolldownOptions: {
      output: {
        codeSplitting: {
          // Each file costs a request: what starts the console is one, what pages share another.
          groups: [
            {
              name: "start",
              tags: ["$initial"],
              test: /^(?!.*(main\.tsx|index\.html)$)/,
              priority: 2,
            },
            { name: "shared", minShareCount: 4, priority: 1 },
          ],
        },
      },
    },
  },
  server: {
    proxy: Object.fromEntries(
      ["/api", "/mcp", "/sse", "/healthz", "/readyz"].map((path) => [
        path,
        process.env.CONSOLE_API ?? "http://127.0.0.1:20100",
      ]),
    ),
  },
});
