/** Numbers and dates in the language of the console. */
import { useTranslation } from "react-i18next";

const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

/** The formats for the language in use. */
export function useFormats() {
  const { i18n } = useTranslation();
  return formats(i18n.language || "en");
}

/** The formats for one language. */
export function formats(language: string) {
  const plain = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const compact = new Intl.NumberFormat(language, {
    notation: "compact",
    maximumFractionDigits: 1,
  });
  const percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const moment = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
  const day = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
  const clock = new Intl.DateTimeFormat(language, {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
  return {
    number: (value: number) => plain.format(value),
    compact: (value: number) => compact.format(value),
    percent: (value: number) => percent.format(value),
    moment: (value: string | Date) => moment.format(new Date(value)),
    day: (value: string | Date) => day.format(new Date(value)),
    clock: (value: string | Date) => clock.format(new Date(value)),
    /** Milliseconds, in the unit that reads best. */
    duration: (ms: number) => {
      if (ms < 1)
        return `${new Intl.NumberFormat(language, { maximumFractionDigits: 2 }).format(ms)} ms`;
      if (ms < 10) return `${plain.format(ms)} ms`;
      if (ms < 1000) return `${Math.round(ms)} ms`;
      return `${plain.format(ms / 1000)} s`;
    },
    bytes: (count: number) => {
      if (count < 1024) return `${count} B`;
      if (count < 1024 * 1024) return `${plain.format(count / 1024)} KiB`;
      return `${plain.format(count / 1024 / 1024)} MiB`;
    },
    /** How long ago, or in how long. */
    ago: (value: string | Date) => {
      const seconds = Math.round((new Date(value).getTime() - Date.now()) / 1000);
      const [unit, size] = units.find(([, each]) => Math.abs(seconds) >= each) ?? ["second", 1];
      return relative.format(Math.trunc(seconds / size), unit);
    },
  };
}
