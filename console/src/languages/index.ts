/** The languages of the console; only the chosen one is loaded. */
import i18next from "i18next";
import { initReactI18next } from "react-i18next";

export const LANGUAGES = { en: "English", ko: "한국어" } as const;
export type Language = keyof typeof LANGUAGES;

const KEPT = "interlock.language";
const load = { en: () => import("./en"), ko: () => import("./ko") };

/** Prepares the language that was chosen before, or else the browser's. */
export async function prepareLanguage(): Promise<void> {
  await i18next.use(initReactI18next).init({
    resources: {},
    lng: undefined,
    fallbackLng: false,
    interpolation: { escapeValue: false },
    react: { useSuspense: false },
    showSupportNotice: false,
  } as Parameters<typeof i18next.init>[0]);
  const kept = localStorage.getItem(KEPT) ?? navigator.language.slice(0, 2);
  await speak(kept === "ko" ? "ko" : "en");
}

/** Changes the language at once, and for the next visits. */
export async function choose(language: Language): Promise<void> {
  localStorage.setItem(KEPT, language);
  await speak(language);
}

/** The language in use. */
export function spoken(): Language {
  return i18next.language === "ko" ? "ko" : "en";
}

async function speak(language: Language): Promise<void> {
  const { words } = await load[language]();
  for (const [namespace, texts] of Object.entries(words)) {
    i18next.addResourceBundle(language, namespace, texts, true, true);
  }
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
}
