/** The frame of the pages before the console: a card in the middle. */
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Select } from "@/components/Field";
import { choose, LANGUAGES, type Language, spoken } from "@/languages";

type Props = { title: string; note: ReactNode; children: ReactNode };

export function Entrance({ title, note, children }: Props) {
  const { t } = useTranslation("entrance");
  return (
    <main className="grid min-h-dvh grid-rows-[auto_1fr_auto] bg-page px-4">
      <title>{`${title} · Interlock`}</title>
      <div className="ml-auto w-32 pt-4">
        <Select
          label={t("language")}
          value={spoken()}
          onChange={(value) => choose(value as Language)}
          options={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
        />
      </div>
      <div className="mx-auto w-full max-w-sm self-center py-8">
        <img src="/icon.svg" alt="" width={44} height={44} className="mb-5 size-11" />
        <h1 className="font-semibold text-2xl tracking-tight">{title}</h1>
        <p className="mt-1 mb-6 text-base text-muted">{note}</p>
        {children}
      </div>
      <p className="pb-6 text-center text-muted text-xs">{t("tagline")}</p>
    </main>
  );
}
