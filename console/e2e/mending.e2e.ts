/** What was done is taken back, wherever one is by then; what is wrong is found, and mended. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { close, faults, open, overhang, picture, stage } from "./harness";

let page: Page;

beforeAll(async () => {
  page = await open();
  await page.goto("/p/default/servers");
});

afterAll(close);

const spare = () =>
  page.locator("tr", { has: page.getByText("spare", { exact: true }) }).locator("[data-status]");

/** Disables a server, and opens a window above the notice that says so. */
async function disableAndOpen(button: string) {
  await page.getByRole("button", { name: "Actions for spare" }).click();
  await page.getByRole("menuitem", { name: "Disable" }).click();
  await page.getByRole("button", { name: "Undo" }).waitFor();
  await page.getByRole("button", { name: button }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Undo" }).waitFor();
  return dialog;
}

/** Presses Tab until the focus is where it shall be; never leaves the window. */
async function tabTo(window: Locator, isThere: () => Promise<boolean>): Promise<void> {
  for (let pressed = 0; pressed < 30; pressed += 1) {
    await page.keyboard.press("Tab");
    expect(await window.evaluate((all) => all.contains(document.activeElement))).toBe(true);
    if (await isThere()) return;
  }
  throw new Error("The focus never came there");
}

const isOnUndo = () => page.evaluate(() => document.activeElement?.textContent === "Undo");
const isOnField = () => page.evaluate(() => document.activeElement?.tagName === "TEXTAREA");

test("an undo is reached by the pointer above an open window, which stays open", async () => {
  const dialog = await disableAndOpen("Add server");
  await dialog.getByLabel("Name", { exact: true }).fill("half-written");
  expect(await faults(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Undo" }).click();
  await page.waitForFunction(() => !document.querySelector("[data-status=disabled]"));
  expect(await dialog.getByLabel("Name", { exact: true }).inputValue()).toBe("half-written");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "detached" });
  await spare().and(page.locator("[data-status=ok]")).waitFor();
});

test("it is reached by the keyboard, which then goes round in the window", async () => {
  const dialog = await disableAndOpen("Import JSON");
  await tabTo(dialog, isOnUndo);
  await tabTo(dialog, isOnField);
  await page.keyboard.press("F8");
  await tabTo(dialog, isOnUndo);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => !document.querySelector("[data-status=disabled]"));
  // Escape takes what is uppermost: the notices first, then the window.
  for (let pressed = 0; pressed < 5 && (await dialog.count()) > 0; pressed += 1) {
    await page.keyboard.press("Escape");
  }
  await dialog.waitFor({ state: "detached" });
  await spare().and(page.locator("[data-status=ok]")).waitFor();
});

test("the doctor names what is wrong with its cure, and is content once it is mended", async () => {
  const key = join(stage.data, "master.key");
  await page.goto("/about");
  await page.getByText("All is well").waitFor();
  chmodSync(key, 0o644);
  await page.getByRole("button", { name: "Run again" }).click();
  const finding = page.locator("[data-finding=ILK005][data-level=error]");
  await finding.getByText(`${key} is open to other users (mode 0644).`).waitFor();
  const cure = await finding
    .getByRole("region", { name: "The command that mends it" })
    .textContent();
  expect(cure).toBe(`chmod 600 ${key}`);
  expect(await faults(page)).toEqual([]);
  expect(await overhang(page)).toBe("");
  await picture(page, "about-finding");
  chmodSync(key, 0o600);
  await page.getByRole("button", { name: "Run again" }).click();
  await page.getByText("All is well").waitFor();
  await page.getByText("checks are fine").click();
  await page.locator("[data-finding=ILK011]").filter({ hasText: "spare" }).waitFor();
});
