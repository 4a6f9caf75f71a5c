/** A person's first quarter of an hour, from the one-time password to the first records. */
import { execFileSync } from "node:child_process";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call } from "./calls";
import { CHOSEN_PASSWORD, close, complaints, keepLogin, open, picture, stage } from "./harness";

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

test("servers pasted as JSON are shown before anything changes, and then run", async () => {
  await page.goto("/p/default/servers");
  await page.getByRole("button", { name: "Import JSON" }).click();
  const broken = { command: 7 };
  const config = { mcpServers: { ...stage.servers, broken } };
  await page.getByLabel("Configuration").fill(JSON.stringify(config));
  await page.getByRole("button", { name: "Preview" }).click();
  const preview = page.getByRole("region", { name: "Preview" });
  await preview.getByText("modern", { exact: true }).waitFor();
  await picture(page, "servers-import-preview");
  const count = Object.keys(stage.servers).length;
  expect(await preview.getByText("New").count()).toBe(count);
  expect(await preview.getByText("Fault").count()).toBe(1);
  await page.getByRole("button", { name: `Import ${count} servers` }).click();
  await preview.getByText("Added").first().waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  // The status comes by itself, as the gateway tells of it.
  for (const name of Object.keys(stage.servers)) {
    await rowOf(page, name).locator("[data-status=ok]").waitFor();
  }
});

test("a server is tried before it is saved, and what is wrong is said", async () => {
  await page.getByRole("button", { name: "Add server" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Add server" }).click();
  await dialog.getByText("Give the server a name.").waitFor();
  await dialog.getByLabel("Name", { exact: true }).fill("spare");
  await dialog.getByLabel("Command").fill("no-such-program --at all");
  await dialog.getByLabel("Arguments").focus();
  expect(await dialog.getByLabel("Arguments").inputValue()).toBe("--at\nall");
  await dialog.getByRole("button", { name: "Test connection" }).click();
  await dialog.getByText("The connection failed").waitFor();
  const { command, args } = stage.servers.modern as { command: string; args: string[] };
  await dialog.getByLabel("Command").fill(command);
  await dialog.getByLabel("Arguments").fill(args.join("\n"));
  await dialog.getByRole("button", { name: "Test connection" }).click();
  await dialog.getByText("It works").waitFor();
  await picture(page, "servers-trial");
  await dialog.getByRole("button", { name: "Add server" }).click();
  await page.getByRole("link", { name: "spare" }).waitFor();
});

test("deleting names what is lost, and can be taken back", async () => {
  await page.getByRole("button", { name: "Actions for spare" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  const question = page.getByRole("alertdialog");
  expect(await question.textContent()).toContain("spare");
  await question.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("link", { name: "spare" }).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByRole("link", { name: "spare" }).waitFor();
});

test("disabling shows at once, and its undo enables again", async () => {
  await page.getByRole("button", { name: "Actions for spare" }).click();
  await page.getByRole("menuitem", { name: "Disable" }).click();
  await rowOf(page, "spare").locator("[data-status=disabled]").waitFor();
  await page.getByRole("button", { name: "Undo" }).last().click();
  await rowOf(page, "spare").locator("[data-status=ok]").waitFor();
});

test("the palette leads anywhere by the keyboard alone", async () => {
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog").getByRole("combobox").waitFor();
  await page.keyboard.type("sample__add");
  // What there is to go to comes a moment after the palette.
  await page.getByRole("option", { name: "sample__add" }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Playground" }).waitFor();
  expect(new URL(page.url()).searchParams.get("tool")).toBe("sample__add");
});

test("a tool is called with the form, and its data is held against its schema", async () => {
  const run = page.getByRole("button", { name: "Run", exact: true });
  await run.click();
  await page.getByText("This is required.").first().waitFor();
  await page.getByRole("spinbutton", { name: /^a/ }).fill("19");
  await page.getByRole("spinbutton", { name: /^b/ }).fill("23");
  await run.click();
  await page.getByText("fits the output schema").waitFor();
  await picture(page, "playground-sum");
  expect(await page.getByRole("region", { name: "Structured result" }).textContent()).toContain(
    "42",
  );
});

test("what servers of either era ask is answered where the call was made", async () => {
  for (const server of ["modern", "legacy"]) {
    await page.goto(`/p/default/playground?tool=${server}__ask_first`);
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByText("What is your name?").waitFor();
    await picture(page, `playground-asks-${server}`);
    await page.getByLabel("Name").fill("Ada");
    await page.getByRole("button", { name: "Answer" }).click();
    await page.locator("[aria-live] [data-state=done]").waitFor();
    await page.getByText("Ada").first().waitFor();
  }
});

for (const [sdk, program] of Object.entries({
  Python: [stage.python, "-c"],
  TypeScript: [process.execPath, "--input-type=module", "-e"],
})) {
  test(`the official SDK connects with exactly the text of the page: ${sdk}`, async () => {
    await page.goto("/p/default/connect");
    await page.getByRole("button", { name: `${sdk} SDK` }).click();
    await page.getByRole("button", { name: `Make a key for ${sdk} SDK` }).click();
    await page.getByText("It is shown only now").waitFor();
    await page.getByRole("region", { name: "Paste it" }).getByText("ilk_").waitFor();
    await page.getByRole("button", { name: "Copy the text" }).click();
    const text = await page.evaluate(() => navigator.clipboard.readText());
    expect(text).toContain("ilk_");
    const [command = "", ...options] = program;
    const how = { cwd: stage.packages, encoding: "utf8", timeout: 60_000 } as const;
    expect(execFileSync(command, [...options, text], how)).toContain("sample__add");
  });
}

test("the call is in the records, with where its time went", async () => {
  await page.goto("/p/default/records?tool=sample__add");
  await page.getByRole("list", { name: "Records" }).getByRole("button").first().click();
  const drawer = page.getByRole("dialog");
  await drawer.getByText("Where the time went").waitFor();
  await drawer.getByText("interlock-console").waitFor();
  await picture(page, "records-one");
  expect(new URL(page.url()).searchParams.get("record")).toMatch(/\w+/);
  await page.goto("/p/default/records");
  await page.getByText("Python SDK").first().waitFor();
});

test("a key is shown once, and refused once it is revoked", async () => {
  await page.goto("/p/default/keys?dialog=new");
  await page.getByLabel("Name", { exact: true }).fill("a short life");
  await page.getByRole("button", { name: "Make key" }).click();
  const shown = page.getByRole("region", { name: "The key" });
  const secret = (await shown.textContent())?.trim() ?? "";
  const ask = () =>
    fetch(`${stage.address}/api/v1/projects`, { headers: { authorization: `Bearer ${secret}` } });
  expect((await ask()).status).toBe(200);
  await page.getByRole("button", { name: "I have copied it" }).click();
  await page
    .locator("tr", { hasText: "a short life" })
    .getByRole("button", { name: "Revoke" })
    .click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Revoke" }).click();
  await page.getByText("a short life was revoked.").first().waitFor();
  expect((await ask()).status).toBe(401);
});

test("a server that dies is shown, and shown again when it has recovered", async () => {
  await page.goto("/p/default/servers/legacy");
  await page.locator("[data-status=ok]").waitFor();
  const before = Number(await restartsOf(page));
  await call("legacy__end_session", {});
  await expect
    .poll(async () => Number(await restartsOf(page)), { timeout: 30_000 })
    .toBeGreaterThan(before);
  await page.locator("[data-status=ok]").waitFor();
});

test("a project is made, limited, and deleted by name with what it holds", async () => {
  await page.goto("/projects");
  await page.getByRole("button", { name: "New project" }).click();
  await page.getByLabel("Name", { exact: true }).fill("short-lived");
  await page.getByRole("button", { name: "Make project" }).click();
  await rowOf(page, "short-lived").waitFor();
  await page.getByRole("button", { name: "Edit short-lived" }).click();
  await page.getByLabel("Calls at most").fill("600");
  await page.getByRole("button", { name: "Save" }).click();
  await rowOf(page, "short-lived").getByText("600 a minute").waitFor();
  await page.getByRole("button", { name: "Delete short-lived" }).click();
  const question = page.getByRole("alertdialog");
  expect(await question.textContent()).toContain("short-lived");
  await question.getByRole("button", { name: "Delete project" }).click();
  await rowOf(page, "short-lived").waitFor({ state: "detached" });
});

test("language, theme and password are changed in the settings", async () => {
  await page.goto("/settings");
  await page.getByLabel("Language").click();
  await page.getByRole("option", { name: "한국어" }).click();
  await page.getByRole("heading", { name: "설정" }).waitFor();
  expect(await page.locator("html").getAttribute("lang")).toBe("ko");
  await page.getByLabel("언어").click();
  await page.getByRole("option", { name: "English" }).click();
  await page.getByLabel("Theme").click();
  await page.getByRole("option", { name: "Dark" }).click();
  expect(await page.locator("html").getAttribute("class")).toContain("dark");
  await page.getByLabel("Current password").fill("not the password");
  await page.getByLabel("New password").fill(`${CHOSEN_PASSWORD}, longer`);
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Current password").fill(CHOSEN_PASSWORD);
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByText("The password was changed.").first().waitFor();
  // The pages that follow are looked at with the session that this one has now.
  await keepLogin(page);
});

test("nothing was refused by the policy, and no script failed", () => {
  // The browser itself reports the answers to a stranger, and to a wrong password.
  expect(complaints.filter((line) => !/status of 40[01]/.test(line))).toEqual([]);
});

/** The row of a table that begins with this name. */
function rowOf(shown: Page, name: string) {
  return shown.locator("tr", { has: shown.getByText(name, { exact: true }) });
}

/** How often the page says that the server was started again. */
function restartsOf(shown: Page): Promise<string | null> {
  return shown.locator("dt", { hasText: "Restarts" }).locator("xpath=../dd").textContent();
}
