/** A headless browser before a real gateway, and how its pages are looked at. */
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

/** What the program that started the gateway tells: see tests/console/test_browser.py. */
export type Stage = {
  address: string;
  email: string;
  password: string;
  key: string;
  chromium: string;
  /** The folder of the libraries that came with it; empty where none did. */
  libraries: string;
  python: string;
  /** A folder in which Node finds the official SDK. */
  packages: string;
  servers: Record<string, Record<string, unknown>>;
  /** The data directory of the gateway. */
  data: string;
  images: string;
};

export const stage = JSON.parse(process.env.CONSOLE_STAGE ?? "{}") as Stage;
export const CHOSEN_PASSWORD = "a long enough pass phrase";

export type Look = { width?: number; height?: number; dark?: boolean; language?: string };

let browser: Browser | undefined;
let state: Awaited<ReturnType<BrowserContext["storageState"]>> | undefined;

/** Opens a page of a browser that is signed in as the last one was, once one was kept. */
export async function open(look: Look = {}): Promise<Page> {
  browser ??= await chromium.launch({
    executablePath: stage.chromium,
    env: stage.libraries
      ? { ...(process.env as Record<string, string>), LD_LIBRARY_PATH: stage.libraries }
      : undefined,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
  const context = await browser.newContext({
    baseURL: stage.address,
    viewport: { width: look.width ?? 1440, height: look.height ?? 900 },
    colorScheme: look.dark ? "dark" : "light",
    locale: look.language === "ko" ? "ko-KR" : "en-US",
    permissions: ["clipboard-read", "clipboard-write"],
    reducedMotion: "reduce",
    serviceWorkers: "block",
    storageState: state,
  });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error.stack}`));
  return page;
}

/** Shows the page as it is in another width and theme, without loading it anew. */
export async function show(page: Page, look: Look): Promise<void> {
  await page.emulateMedia({ colorScheme: look.dark ? "dark" : "light" });
  await page.setViewportSize({ width: look.width ?? 1440, height: look.height ?? 900 });
  // What follows the size is drawn in the frame after it.
  await page.evaluate(
    () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
  );
}

/** What the browser complained of: errors of scripts, and what the policy refused. */
export const complaints: string[] = [];

/** Keeps the login of a page for those that are opened after it. */
export async function keepLogin(page: Page): Promise<void> {
  const all = await page.context().storageState();
  // Language and theme are those of each look, not of the first page.
  state = { ...all, origins: [] };
}

export async function close(): Promise<void> {
  await browser?.close();
  browser = undefined;
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Returns what axe finds on the page, a line for each. */
export async function faults(page: Page): Promise<string[]> {
  // Evaluated by the debugger, so that the policy of the page stays as it is.
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe: found } = window as unknown as { axe: Axe };
    const { violations } = await found.run({ resultTypes: ["violations"] });
    return violations.flatMap((rule) =>
      rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")} ${node.failureSummary ?? ""}`),
    );
  });
}

type Axe = { run(how: { resultTypes: string[] }): Promise<AxeResult> };

type AxeResult = {
  violations: { id: string; nodes: { target: string[]; failureSummary?: string }[] }[];
};

/**
 * What stands out at the side, so that the page can be scrolled there: nothing, if it is well made.
 *
 * What is drawn anew after a change of the width gets a moment for that.
 */
export async function overhang(page: Page): Promise<string> {
  try {
    await page.waitForFunction(
      () => document.documentElement.scrollWidth <= document.documentElement.clientWidth,
      undefined,
      { timeout: 2000 },
    );
    return "";
  } catch {
    return page.evaluate(() => {
      const edge = document.documentElement.clientWidth;
      const out = [...document.querySelectorAll("body *")].filter(
        (each) => each.getBoundingClientRect().right > edge,
      );
      return `${out.length} elements, as ${out.at(-1)?.outerHTML.slice(0, 200)}`;
    });
  }
}

/** Keeps a picture of the page. */
export async function picture(page: Page, name: string): Promise<void> {
  if (!stage.images) return;
  mkdirSync(stage.images, { recursive: true });
  await page.screenshot({ path: join(stage.images, `${name}.png`) });
}

/** Waits until a page shows what it has: nothing is loading, no skeleton is left. */
export async function settled(page: Page): Promise<void> {
  await page.locator("h1").first().waitFor();
  await page.waitForFunction(() => !document.querySelector("[data-skeleton]"));
}
