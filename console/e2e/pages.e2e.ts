/** Every page, in both languages, widths and themes: nothing overhangs, and axe finds nothing. */
import { afterAll, expect, test } from "vitest";
import {
  close,
  complaints,
  faults,
  type Look,
  open,
  overhang,
  picture,
  settled,
  show,
} from "./harness";

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

const PHONE = { width: 390, height: 844 };

/** The looks in which each page is seen, by language; pages are loaded in one and in the other in turn. */
const LOOKS: Record<string, Record<string, Look>> = {
  en: { "desk-light-en": {}, "phone-dark-en": { ...PHONE, dark: true } },
  ko: { "desk-dark-ko": { dark: true }, "phone-light-ko": PHONE },
};

afterAll(close);

/** Opens some pages one after another in a language, and returns what is wrong in any look. */
async function visit(language: string, pages: Record<string, string>, isStranger = false) {
  const looks = Object.entries(LOOKS[language] ?? {});
  const page = await open({ ...looks[0]?.[1], language });
  if (isStranger) await page.context().clearCookies();
  const found: string[] = [];
  for (const [name, address] of Object.entries(pages)) {
    await page.goto(address);
    await settled(page);
    for (const [index, [look, how]] of looks.entries()) {
      if (index > 0) await show(page, how);
      await picture(page, `${name}-${look}`);
      const out = await overhang(page);
      if (out) found.push(`${name} ${look} can be scrolled sideways: ${out}`);
      // Colours differ between the themes; what else axe sees is the same in every language.
      if (look.startsWith("desk") || isStranger) {
        found.push(...(await faults(page)).map((fault) => `${name} ${look}: ${fault}`));
      }
    }
    // The next one is loaded in the look that this one was left in.
    looks.reverse();
  }
  await page.context().close();
  return found;
}

for (const [who, pages, isStranger] of [
  ["every page", PAGES, false],
  ["the login", { login: "/login" }, true],
] as const) {
  test(`${who} is whole in every look`, { timeout: 400_000 }, async () => {
    const visits = Object.keys(LOOKS).map((each) => visit(each, pages, isStranger));
    expect((await Promise.all(visits)).flat()).toEqual([]);
  });
}

test("no page broke the policy or failed", () => {
  expect(complaints.filter((line) => !/status of 40[01]/.test(line))).toEqual([]);
});
