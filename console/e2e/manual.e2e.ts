/** Calls made by hand in the playground, in both eras, and what became of them. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { close, complaints, faults, open, picture, stage } from "./harness";

const TRIPS = "/p/default/playground?server=trips";
let page: Page;

beforeAll(async () => {
  page = await open();
});

afterAll(close);

async function choose(title: string): Promise<void> {
  await page.getByRole("button", { name: new RegExp(`^${title}`) }).click();
  await page.getByRole("heading", { name: title, level: 2 }).waitFor();
}

async function run(): Promise<void> {
  await page.getByRole("button", { name: "Run", exact: true }).click();
}

async function state(): Promise<string | null> {
  const mark = page.locator("[aria-live] [data-state]").first();
  await page.waitForFunction(
    () => document.querySelector('[aria-live] [data-state="running"]') === null,
  );
  return mark.getAttribute("data-state");
}

test("a tool is called with its form, and its result is checked against its schema", async () => {
  await page.goto(TRIPS);
  await choose("Weather forecast");
  await page.getByLabel("days").fill("99");
  await run();
  await page.getByText("At most 14.").waitFor();
  await page.getByLabel("days").fill("5");
  await run();
  await page.getByRole("heading", { name: "The next 5 days" }).waitFor();
  expect(await page.getByText("fits the output schema").count()).toBe(1);
  expect(await page.getByRole("cell", { name: "Seoul", exact: true }).count()).toBe(1);
  expect(await faults(page)).toEqual([]);
  await picture(page, "playground-result");
});

for (const era of ["modern", "legacy"]) {
  test(`a question of the server is answered in place: ${era}`, async () => {
    await page.goto(`${TRIPS}&era=${era}`);
    await choose("Book a trip");
    await page.getByLabel("city").fill("Jeju");
    await run();
    await page.getByText("Who travels?").waitFor();
    await page.getByRole("button", { name: "Answer" }).click();
    await page.getByText("This is required.").waitFor();
    await page.getByLabel("Name").fill("Kim Mina");
    await page.getByRole("combobox", { name: "Seat" }).click();
    await page.getByRole("option", { name: "window" }).click();
    expect(await faults(page)).toEqual([]);
    await picture(page, `playground-question-${era}`);
    await page.getByRole("button", { name: "Answer" }).click();
    await page.getByText("Booked Jeju for Kim Mina.").waitFor();
    expect(await state()).toBe("done");
  });

  test(`a declined question is told to the tool: ${era}`, async () => {
    await run();
    await page.getByRole("button", { name: "Decline" }).click();
    await page.getByText("Nothing was booked.").waitFor();
    expect(await state()).toBe("tool_error");
  });

  test(`one can be the model of the server: ${era}`, async () => {
    await choose("Slogan");
    await page.getByLabel("city").fill("Busan");
    await run();
    await page.getByText("A slogan for Busan, please.").waitFor();
    await page.getByLabel("Reply").fill("Sea you soon");
    await page.getByRole("button", { name: "Answer" }).click();
    await page.getByText("The model says: Sea you soon").waitFor();
  });

  test(`progress and logs are heard while the tool runs: ${era}`, async () => {
    await choose("Search fares");
    // The bar is there for half a second only, so that the page itself looks out for it.
    const bar = page.waitForFunction(() => document.querySelector("[role=progressbar]"));
    await Promise.all([bar, run()]);
    await page.getByText("Found 28 fares.").waitFor();
    await page.getByRole("tab", { name: /Progress and logs/ }).click();
    await page.getByText('"fares":28').waitFor();
    await page.getByText("Asking airline 4").waitFor();
  });

  test(`a call is cancelled: ${era}`, async () => {
    await choose("Wait for a seat");
    await run();
    await page.getByRole("progressbar").waitFor();
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByText("You cancelled this call").waitFor();
    expect(await state()).toBe("cancelled");
  });
}

test("pictures, sounds and linked resources are shown as what they are", async () => {
  await page.goto(TRIPS);
  await choose("Postcard");
  await run();
  const shown = page.locator("figure img");
  await shown.waitFor();
  expect(
    await shown.evaluate((img: HTMLImageElement) => img.decode().then(() => img.naturalWidth)),
  ).toBe(360);
  expect(await page.locator("audio").count()).toBe(1);
  await page.getByRole("button", { name: "Read" }).click();
  await page.getByRole("link", { name: "Bukchon" }).waitFor();
  expect(await faults(page)).toEqual([]);
  await picture(page, "playground-media");
});

test("an app of the server runs in a frame that reaches neither our pages nor the network", async () => {
  await choose("Departures");
  await run();
  const frame = page.frameLocator("iframe");
  await frame.getByText("KE 901 leaves at 13:05 from gate 24.").waitFor();
  const inside = page.frames().find((each) => each.url().endsWith("/frame.html"));
  const reached = await inside?.evaluate(async () => {
    const tries = [
      () => String(parent.document.title),
      () => String(localStorage.length),
      () => fetch("/api/v1/auth/me").then((answer) => String(answer.status)),
    ];
    const found: string[] = [];
    for (const each of tries) {
      try {
        found.push(await each());
      } catch {
        found.push("refused");
      }
    }
    return found;
  });
  expect(reached).toEqual(["refused", "refused", "refused"]);
  // The browser tells of what the policy refused: here it must.
  const refused = complaints.filter((line) => line.includes("/api/v1/auth/me"));
  expect(refused.length).toBeGreaterThan(0);
  complaints.splice(0, complaints.length, ...complaints.filter((line) => !refused.includes(line)));
});

test("the raw messages are shown, both ways", async () => {
  await page.getByRole("tab", { name: /Messages/ }).click();
  expect(await page.getByText("sent", { exact: true }).count()).toBe(1);
  expect(await page.getByText("received", { exact: true }).count()).toBe(1);
  await page.getByText('"resultType": "complete"').waitFor();
});

test("arguments are written as JSON, and what was filled in before is kept", async () => {
  await choose("Book a trip");
  await page.getByLabel("city").fill("Ulsan");
  await page.getByRole("tab", { name: "JSON" }).click();
  await page.locator(".cm-content").getByText("Ulsan").waitFor();
  expect(new URL(page.url()).searchParams.get("as")).toBe("json");
  expect(await faults(page)).toEqual([]);
  await page.getByRole("tab", { name: "Form" }).click();
  expect(await page.getByLabel("city").inputValue()).toBe("Ulsan");
});

test("a call is taken along as a command that works", async () => {
  await choose("Weather forecast");
  await page.getByRole("button", { name: "Copy as" }).first().click();
  await page.getByRole("menuitem", { name: "curl" }).click();
  const command = await page.evaluate(() => navigator.clipboard.readText());
  expect(command).toContain("/mcp/default");
  expect(command).toContain("$INTERLOCK_KEY");
  const { execFileSync } = await import("node:child_process");
  const env = { ...process.env, INTERLOCK_KEY: stage.key };
  expect(execFileSync("bash", ["-c", command], { env, encoding: "utf8" })).toContain(
    "The next 3 days",
  );
});

test("recent invocations can be looked at and made again", async () => {
  const table = page.getByRole("table", { name: "Recent invocations" });
  const before = await table.getByRole("row").count();
  const row = table.getByRole("row", { name: /trips__media/ });
  expect(await row.textContent()).toMatch(/Done.*[0-9a-z]{20}/);
  await row.getByRole("button", { name: "Run again" }).click();
  await page.locator("figure img").waitFor();
  expect(await table.getByRole("row").count()).toBe(before + 1);
});

test("a key can call instead of the login, and a wrong one is refused with the request id", async () => {
  await choose("Weather forecast");
  await page.getByRole("combobox", { name: "Called by" }).click();
  await page.getByRole("option", { name: "An API key" }).click();
  await page.getByLabel("API key", { exact: true }).fill("wrong");
  await run();
  const alert = page.getByRole("alert");
  await alert.waitFor();
  expect(await page.locator("[aria-live]").first().textContent()).toMatch(
    /Request id [0-9a-z]{20}/,
  );
  await page.getByLabel("API key", { exact: true }).fill(stage.key);
  await run();
  await page.getByRole("heading", { name: "The next 3 days" }).waitFor();
});
