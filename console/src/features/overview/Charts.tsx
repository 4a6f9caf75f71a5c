/** Calls, errors and latency over time. */
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { Span, Statistics } from "@/api/statistics";
import { Chart, Legend, type Series } from "@/components/Chart";
import { useFormats } from "@/components/format";
import { Card } from "@/components/Page";

type Props = { statistics: Statistics; span: Span };

export function Charts({ statistics, span }: Props) {
  const { t, i18n } = useTranslation("overview");
  const formats = useFormats();
  const { steps, total } = statistics;
  const times = useMemo(() => steps.map((each) => Date.parse(each.time) / 1000), [steps]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: words and formats follow the language.
  const calls = useMemo<Series[]>(
    () => [
      {
        label: t("calls"),
        color: "--accent",
        isFilled: true,
        values: steps.map((each) => each.calls),
      },
      {
        label: t("failedCalls"),
        color: "--bad",
        isFilled: true,
        values: steps.map((each) => each.failed),
      },
      { label: t("refusedCalls"), color: "--warn", values: steps.map((each) => each.refused) },
    ],
    [steps, i18n.language],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: as above.
  const latencies = useMemo<Series[]>(
    () => [
      { label: "p99", color: "--line-strong", values: steps.map((each) => each.p99_ms) },
      { label: "p95", color: "--warn", values: steps.map((each) => each.p95_ms) },
      { label: "p50", color: "--accent", isFilled: true, values: steps.map((each) => each.p50_ms) },
    ],
    [steps, i18n.language],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: as above.
  const written = useMemo(
    () => ({
      time: timeFormat(i18n.language, span),
      count: (value: number) => formats.compact(value),
      duration: (value: number) => formats.duration(value),
    }),
    [i18n.language, span],
  );
  return (
    <div className="grid gap-5 lg:grid-cols-2">
      <Card title={t("callsOverTime")} actions={<Legend series={calls} />}>
        <div className="px-3 pt-2 pb-3">
          <Chart
            group="overview"
            times={times}
            series={calls}
            format={written.count}
            formatTime={written.time}
            label={t("callsSaid", {
              calls: formats.number(total.calls),
              failed: formats.number(total.failed),
              refused: formats.number(total.refused),
            })}
          />
        </div>
      </Card>
      <Card title={t("latencyOverTime")} actions={<Legend series={latencies} />}>
        <div className="px-3 pt-2 pb-3">
          <Chart
            group="overview"
            times={times}
            series={latencies}
            format={written.duration}
            formatTime={written.time}
            label={t("latencySaid", {
              p50: formats.duration(total.p50_ms ?? 0),
              p95: formats.duration(total.p95_ms ?? 0),
              p99: formats.duration(total.p99_ms ?? 0),
            })}
          />
        </div>
      </Card>
    </div>
  );
}

/** Times of the day for short spans, days for long ones. */
function timeFormat(language: string, span: Span): (seconds: number) => string {
  const isLong = span === "7d" || span === "30d";
  const format = new Intl.DateTimeFormat(
    language,
    isLong
      ? { month: "short", day: "numeric" }
      : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  );
  return (seconds) => format.format(new Date(seconds * 1000));
}
