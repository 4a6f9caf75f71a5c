/** Every page, in both languages, widths and themes: nothing overhangs, and axe finds nothing. */
import { afterAll, expect, test } from "vitest";
import { close, complaints, faults, type Look, open, overhang, picture, settled } from "./harness";

/** The name of each page's pictures, and its address. */
const PAGES: Record<string, string> = {
  servers: "/p/default/servers",
  overview: "/p/default/overview",
  tools: "/p/default/tools",
  "servers-add": "/p/default/servers?dialog=add",
  "servers-import": "/p/default/servers?dialog=import",
  server: "/p/default/servers/sample",
  "server-logs": "/p/default/servers/sample?tab=logs",
  "server-setup": "/p/default/servers/sample?tab=setup",
  playground: "/p/default/playground",
  "playground-json": "/p/default/playground?tool=sample__add&as=json",
  records: "/p/default/records",
  connect: "/p/default/connect",
  keys: "/p/default/keys",
  "keys-new": "/p/default/keys?dialog=new",
  projects: "/projects",
  "projects-new": "/projects?dialog=new",
  settings: "/settings",
  about: "/about",
};

const LOOKS: Record<string, Look> = {
  "desk-light-en": {},
  "desk-dark-ko": { dark: true, language: "ko" },
  "phone-light-ko": { width: 390, height: 844, language: "ko" },
  "phone-dark-en": { width: 390, height: 844, dark: true },
};

afterAll(close);

for (const [look, how] of Object.entries(LOOKS)) {
  test(`every page is whole: ${look}`, async () => {
    const page = await open(how);
    const found: string[] = [];
    for (const [name, address] of Object.entries(PAGES)) {
      await page.goto(address);
      await settled(page);
      await picture(page, `${name}-${look}`);
      const excess = await overhang(page);
      if (excess > 0) found.push(`${name} can be scrolled sideways by ${excess} pixels`);
      // Colours differ between the themes; what else axe sees is the same in every language.
      if (look.startsWith("desk")) {
        found.push(...(await faults(page)).map((fault) => `${name}: ${fault}`));
      }
    }
    await page.context().close();
    expect(found).toEqual([]);
  });
}

test("the login is whole for a stranger", async () => {
  const found: string[] = [];
  for (const [look, how] of Object.entries(LOOKS)) {
    const page = await open(how);
    await page.context().clearCookies();
    await page.goto("/login");
    await settled(page);
    await picture(page, `login-${look}`);
    found.push(...(await faults(page)));
    if ((await overhang(page)) > 0) found.push(`the login overhangs: ${look}`);
    await page.context().close();
  }
  expect(found).toEqual([]);
});

test("no page broke the policy or failed", () => {
  expect(complaints.filter((line) => !/status of 40[01]/.test(line))).toEqual([]);
});
