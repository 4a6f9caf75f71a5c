/** What a person sees of calls that were made: the overview, the records, and the tools. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { answerOf, call } from "./calls";
import { close, faults, type Look, open, overhang, picture, show } from "./harness";

let page: Page;

beforeAll(async () => {
  page = await open();
});

afterAll(close);

const list = () => page.getByRole("list", { name: "Records" });

test("calls that were made by hand and by clients are in the records, new ones by themselves", async () => {
  await page.goto("/p/default/records");
  const booked = list().getByRole("button", { name: /trips__book.*admin@localhost/ });
  await booked.first().waitFor();
  expect(await call("sample__echo", { message: "hello" })).toBe(200);
  await list()
    .getByRole("button", { name: /sample__echo.*first key/ })
    .first()
    .waitFor();
  expect(await faults(page)).toEqual([]);
});

test("filters stand in the address, and hold after a reload", async () => {
  await page.getByRole("combobox", { name: "Outcome" }).click();
  await page.getByRole("option", { name: "Cancelled" }).click();
  await list()
    .getByRole("button", { name: /trips__wait/ })
    .first()
    .waitFor();
  expect(
    await list()
      .getByRole("button", { name: /trips__book/ })
      .count(),
  ).toBe(0);
  expect(new URL(page.url()).searchParams.get("outcome")).toBe("cancelled");
  await page.reload();
  await list()
    .getByRole("button", { name: /trips__wait/ })
    .first()
    .waitFor();
  expect(
    await list()
      .getByRole("button", { name: /trips__book/ })
      .count(),
  ).toBe(0);
  await page.getByRole("searchbox").fill("nothing like it");
  await page.getByText("No call fits these filters").waitFor();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await list()
    .getByRole("button", { name: /trips__book/ })
    .first()
    .waitFor();
});

test("a call's drawer says where its time went, and leads to others like it", async () => {
  await page.getByRole("searchbox").fill("trips__search");
  await page.waitForURL(/tool=trips__search/);
  await list()
    .getByRole("button", { name: /trips__search/ })
    .first()
    .click();
  const drawer = page.getByRole("dialog");
  await drawer.getByText("Where the time went").waitFor();
  expect(
    await drawer
      .getByRole("listitem")
      .filter({ hasText: /^Server/ })
      .textContent(),
  ).toMatch(/\d+ ms/);
  expect(await drawer.textContent()).toMatch(/Request id[0-9a-z]{20}/);
  expect(await faults(page)).toEqual([]);
  await picture(page, "records-drawer");
  const address = page.url();
  await page.goto(address);
  await drawer.getByText("Where the time went").waitFor();
  await drawer.getByRole("button", { name: "Show only such calls" }).nth(2).click();
  await page.waitForURL(/server=trips/);
  await drawer.waitFor({ state: "hidden" });
});

test("the records are taken along as a file, filtered as they are shown", async () => {
  await page.goto("/p/default/records?tool=sample__echo");
  await list().getByRole("button").first().waitFor();
  await page.getByRole("button", { name: "Export" }).click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("menuitem", { name: /CSV/ }).click(),
  ]);
  const { readFileSync } = await import("node:fs");
  const lines = readFileSync(await download.path(), "utf8")
    .trim()
    .split(/\r?\n/);
  expect(lines[0]).toContain('"target"');
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.slice(1).every((line) => line.includes("sample__echo"))).toBe(true);
});

test("hundreds of records are read as one scrolls, and few of them drawn", async () => {
  for (let made = 0; made < 240; made += 24) {
    await Promise.all(Array.from({ length: 24 }, () => call("sample__add", { a: 1, b: 2 })));
  }
  await page.goto("/p/default/records?tool=sample__add");
  await list().getByRole("button").first().waitFor();
  const reads: string[] = [];
  page.on("request", (request) => {
    if (request.url().includes("/records?")) reads.push(request.url());
  });
  const last = list().locator('li[aria-posinset="240"]');
  const box = list().locator("..");
  while ((await last.count()) === 0) {
    await box.evaluate((each) => each.scrollBy(0, each.clientHeight));
    expect(await list().getByRole("listitem").count()).toBeLessThan(80);
  }
  expect(reads.filter((each) => each.includes("cursor=")).length).toBeGreaterThanOrEqual(2);
});

test("the overview counts the calls, draws them, and names what needs attention", async () => {
  for (let made = 0; made < 6; made += 1) await call("trips__cancel_all", {});
  await page.goto("/p/default/overview");
  await page.getByText("trips__cancel_all fails: 100% of its calls").waitFor();
  const drawn = page.getByRole("img", { name: /^Calls over time: \d/ });
  await drawn.waitFor();
  expect(await drawn.locator("canvas").evaluate(inked)).toBe(true);
  const before = await countOf(page);
  await call("sample__echo", { message: "once more" });
  await page.waitForFunction(
    (known) => Number(document.querySelector("dd span")?.textContent?.replace(/\D/g, "")) > known,
    before,
  );
  await page.getByRole("link", { name: "24 hours" }).click();
  await page.waitForURL(/span=24h/);
  await page.getByText("trips__cancel_all fails").click();
  await list()
    .getByRole("button", { name: /trips__cancel_all/ })
    .first()
    .waitFor();
});

const countOf = async (on: Page) =>
  Number((await on.locator("dd span").first().textContent())?.replace(/\D/g, ""));

/** Whether something is drawn on a canvas. */
function inked(canvas: SVGElement | HTMLElement): boolean {
  const drawn = canvas as HTMLCanvasElement;
  const context = drawn.getContext("2d");
  const data = context?.getImageData(0, 0, drawn.width, drawn.height).data ?? [];
  return data.some((value) => value > 0);
}

test("a tool is found by a word of its description, and its schema is read", async () => {
  await page.goto("/p/default/tools");
  await page.getByRole("searchbox").fill("airlines");
  await page.getByRole("row", { name: /trips__search/ }).waitFor();
  expect(await page.getByRole("row").count()).toBe(2);
  await page.getByRole("searchbox").fill("weather");
  await page.getByRole("button", { name: /Weather forecast/ }).click();
  const drawer = page.getByRole("dialog");
  await drawer.getByText("integer 1…14").waitFor();
  expect(await drawer.getByText("celsius", { exact: true }).count()).toBeGreaterThan(0);
  expect(await faults(page)).toEqual([]);
  await picture(page, "tools-drawer");
});

test("a tool gets a name of the project's own, which clients call, and loses it again by undo", async () => {
  await page.getByLabel("Shown as").fill("weather");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Clients see the tool as weather now.").first().waitFor();
  await page.getByRole("row", { name: /Weather forecast weather/ }).waitFor();
  expect(await call("weather", { days: 2 })).toBe(200);
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByRole("row", { name: /Weather forecast trips__forecast/ }).waitFor();
});

const ON_AGAIN = "trips__forecast is switched on; clients see it again.";

test("a tool is switched off for everybody, is found by the filter, and comes back by undo", async () => {
  const toggle = () => page.getByRole("switch", { name: "trips__forecast is on" });
  await page.goto("/p/default/tools");
  await toggle().click();
  await page
    .getByText("trips__forecast is switched off; no client sees it any more.", { exact: true })
    .waitFor();
  expect(await toggle().getAttribute("aria-checked")).toBe("false");
  const { said } = await answerOf("trips__forecast", { days: 2 });
  expect(said).toContain("Unknown tool: trips__forecast");
  await page.getByRole("combobox", { name: "State" }).click();
  await page.getByRole("option", { name: "Switched off" }).click();
  await page.waitForURL(/state=off/);
  await page.getByText("1 tool", { exact: true }).waitFor();
  await picture(page, "tools-switched-off");
  await page.goto("/p/default/servers/trips");
  await toggle()
    .and(page.getByRole("switch", { checked: false }))
    .waitFor();
  expect(await faults(page)).toEqual([]);
  await picture(page, "server-tools-switched-off");
  await toggle().click();
  await page.getByText(ON_AGAIN, { exact: true }).waitFor();
  await page.getByRole("button", { name: "Undo" }).last().click();
  await toggle()
    .and(page.getByRole("switch", { checked: false }))
    .waitFor();
  await page.goto("/p/default/tools?state=off&tool=trips__forecast");
  await page.getByRole("dialog").getByRole("switch").click();
  await page.getByText(ON_AGAIN, { exact: true }).waitFor();
  expect(await call("trips__forecast", { days: 2 })).toBe(200);
});

const PHONE = { width: 390, height: 844 };

/** The looks in which each page is seen, by language; pages are loaded in one and in the other in turn. */
const LOOKS: Record<string, Record<string, Look>> = {
  en: { "desk-dark": { dark: true }, "phone-light": PHONE },
  ko: { "desk-light": {}, "phone-dark": { ...PHONE, dark: true } },
};

test("these pages are whole with calls in them, in every look", { timeout: 300_000 }, async () => {
  const pages = {
    overview: "/p/default/overview",
    records: "/p/default/records?min_ms=1&principal=first+key",
    tools: "/p/default/tools?tool=trips__forecast",
    playground: "/p/default/playground?tool=trips__forecast&as=json",
  };
  const visit = async (language: string, looks: [string, Look][]) => {
    const found: string[] = [];
    const seen = await open({ ...looks[0]?.[1], language });
    for (const [name, address] of Object.entries(pages)) {
      await seen.goto(address);
      for (const [index, [look, how]] of looks.entries()) {
        if (index > 0) await show(seen, how);
        await seen.waitForFunction(() =>
          document.querySelector("canvas, ul[aria-label] li, [role=dialog] h3, .cm-content"),
        );
        await picture(seen, `${name}-filled-${look}`);
        found.push(...(await faults(seen)).map((fault) => `${name} ${look}: ${fault}`));
        const out = await overhang(seen);
        if (out) found.push(`${name} ${look} can be scrolled sideways: ${out}`);
      }
      // The next one is loaded in the look that this one was left in.
      looks.reverse();
    }
    await seen.context().close();
    return found;
  };
  const visits = Object.entries(LOOKS).map(([each, looks]) => visit(each, Object.entries(looks)));
  expect((await Promise.all(visits)).flat()).toEqual([]);
});
