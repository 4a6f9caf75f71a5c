/** The pictures of the documents: what a gateway looks like that has been used for a while. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { call } from "./calls";
import { close, type Look, open, overhang, picture, settled, stage } from "./harness";

afterAll(close);

const SPREAD = join(import.meta.dirname, "..", "..", "tests", "console", "spread_records.py");
const PHONE: Look = { width: 390, height: 844 };

/** What each client calls, and how often in each round. */
const HABITS: [string, string, object, number][] = [
  ["claude-code", "trips__forecast", { days: 5 }, 6],
  ["claude-code", "sample__echo", { message: "ready?" }, 3],
  ["cursor", "sample__add", { a: 19, b: 23 }, 4],
  ["cursor", "trips__departures", {}, 2],
];
const ROUNDS = 14;

test("a gateway that was used looks as it does in the documents", {
  timeout: 300_000,
}, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let turn = 0; turn < 6; turn += 1) {
      for (const [client, tool, values, count] of HABITS) {
        if (turn < count) expect(await call(tool, values, client)).toBe(200);
      }
    }
    if (round % 5 === 3) await call("trips__cancel_all", {}, "nightly-report");
    if (round % 5 === 4) await call("trips__search", {}, "nightly-report");
  }
  // A record is stored a moment after its call.
  const page = await open();
  await page.goto("/p/default/records");
  await page
    .getByRole("list", { name: "Records" })
    .getByText("trips__departures")
    .first()
    .waitFor();
  execFileSync(stage.python, [SPREAD, stage.data]);
  for (const [name, look] of Object.entries<Look>({ desk: {}, phone: PHONE })) {
    await page.setViewportSize({ width: look.width ?? 1440, height: look.height ?? 900 });
    await page.emulateMedia({ colorScheme: "light" });
    await page.goto("/p/default/overview");
    await settled(page);
    await page.getByRole("img", { name: /^Calls over time: \d/ }).waitFor();
    await picture(page, `console-overview-${name}`);
    await page.goto("/p/default/records");
    const list = page.getByRole("list", { name: "Records" });
    await list
      .getByRole("button", { name: /trips__forecast/ })
      .first()
      .click();
    await page.getByRole("dialog").getByText("Where the time went").waitFor();
    await picture(page, `console-records-${name}`);
    await page.emulateMedia({ colorScheme: "dark" });
    await page.goto("/p/default/playground?server=trips&tool=trips__forecast");
    await page.getByLabel("days").fill("5");
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByRole("heading", { name: "The next 5 days" }).waitFor();
    await picture(page, `console-playground-${name}`);
    await page.getByRole("tab", { name: /Messages/ }).click();
    await picture(page, `console-messages-${name}`);
    expect(await overhang(page)).toBe("");
  }
});
