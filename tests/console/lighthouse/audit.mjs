// Audits pages with Lighthouse in one Chromium, each once, as the desktop preset does: a line of JSON
// for each. The environment variable PLAN holds the browser and the pages; the argument is the folder
// of the packages.

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { resolve } = createRequire(join(process.argv[2], "packages.cjs"));
const load = (name) => import(pathToFileURL(resolve(name)).href);
const { launch } = await load("chrome-launcher");
const { default: lighthouse } = await load("lighthouse");
const { default: desktop } = await load("lighthouse/core/config/desktop-config.js");

const { pageFunctions } = await load("lighthouse/core/lib/page-functions.js");

// The preset supposes a desktop, whose index begins here by Lighthouse's own table. A slower or busier
// machine is reckoned up to it, as Lighthouse's guide to throttling says, but not beyond four times; a
// faster one is left as it is.
const DESKTOP_INDEX = 1500;
const LEAST = 0.25;

const { chromium, libraries, pages } = JSON.parse(process.env.PLAN);
const chrome = await launch({
  chromePath: chromium,
  chromeFlags: ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  envVars: libraries ? { ...process.env, LD_LIBRARY_PATH: libraries } : process.env,
  logLevel: "error",
});
try {
  for (const { name, address, cookie } of pages) {
    const index = pageFunctions.computeBenchmarkIndex();
    const speed = Math.max(LEAST, Math.min(1, index / DESKTOP_INDEX));
    const { throttling } = desktop.settings;
    const { lhr } = await lighthouse(
      address,
      {
        port: chrome.port,
        onlyCategories: ["performance", "accessibility"],
        // Pictures and the way back count for nothing here, and take as long as all the rest.
        disableFullPageScreenshot: true,
        skipAudits: ["bf-cache", "screenshot-thumbnails", "final-screenshot"],
        disableStorageReset: true,
        throttling: { ...throttling, cpuSlowdownMultiplier: speed },
        extraHeaders: cookie ? { Cookie: cookie } : {},
        logLevel: "error",
      },
      desktop,
    );
    console.log(JSON.stringify({ name, speed, ...told(lhr) }));
  }
} finally {
  await chrome.kill();
}

/** What counts of a report: scores of 0 to 1, times in milliseconds, what is not accessible. */
function told({ finalDisplayedUrl, categories, audits, runtimeError }) {
  return {
    shown: new URL(finalDisplayedUrl).pathname,
    failed: runtimeError?.message ?? null,
    performance: categories.performance.score,
    accessibility: categories.accessibility.score,
    largest_paint: audits["largest-contentful-paint"].numericValue,
    blocked: audits["total-blocking-time"].numericValue,
    shifted: audits["cumulative-layout-shift"].numericValue,
    faults: categories.accessibility.auditRefs
      .filter(({ id, weight }) => weight > 0 && (audits[id].score ?? 1) < 1)
      .map(({ id }) => `${id}: ${audits[id].details?.items?.map((item) => item.node?.snippet)}`),
  };
}
