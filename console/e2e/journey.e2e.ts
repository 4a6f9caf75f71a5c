/** A person's first quarter of an hour, from the one-time password to the first records. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CHOSEN_PASSWORD, close, complaints, keepLogin, open, stage } from "./harness";

let page: Page;

beforeAll(async () => {
  page = await open();
});

afterAll(close);

test("a stranger is led to the login, and told where the one-time password is", async () => {
  await page.goto("/p/default/servers");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  expect(await page.getByText("one-time password").count()).toBe(1);
  expect(new URL(page.url()).searchParams.get("next")).toBe("/p/default/servers");
});

test("a wrong password is refused with the id of the request", async () => {
  await page.getByLabel("E-mail").fill(stage.email);
  await page.getByLabel("Password").fill("wrong wrong wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  const alert = page.getByRole("alert");
  await alert.waitFor();
  expect(await alert.textContent()).toMatch(/Request id [0-9a-z]{20}/);
});

test("the one-time password opens the choice of one's own, and that the console", async () => {
  await page.getByLabel("Password").fill(stage.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Choose your password" }).waitFor();
  await page.getByLabel("New password").fill("short");
  expect(await page.getByLabel("New password").getAttribute("aria-invalid")).toBe("true");
  await page.getByLabel("New password").fill(CHOSEN_PASSWORD);
  await page.getByRole("button", { name: "Start" }).click();
  await page.getByRole("navigation", { name: "Main" }).waitFor();
  await keepLogin(page);
});

test("nothing was refused by the policy, and no script failed", () => {
  // The browser itself reports the answers 401 to a stranger and to a wrong password.
  expect(complaints.filter((line) => !line.includes("status of 401"))).toEqual([]);
});
