/** A chart over time that follows theme, language and width; what it shows is also said in words. */
import "uplot/dist/uPlot.min.css";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { useTheme } from "./theme";

export type Series = {
  label: string;
  /** A colour of the theme, such as `--accent`. */
  color: string;
  values: readonly (number | null)[];
  isFilled?: boolean;
};

type Props = {
  /** Seconds since 1970, ascending. */
  times: readonly number[];
  series: readonly Series[];
  format: (value: number) => string;
  formatTime: (seconds: number) => string;
  /** What a screen reader says. */
  label: string;
  height?: number;
  /** Charts of the same group point at the same time. */
  group: string;
};

const FONT = '11px Inter, system-ui, "Noto Sans KR", sans-serif';

export function Chart({ height = 190, ...props }: Props) {
  const { times, series, format, formatTime, label, group } = props;
  const box = useRef<HTMLDivElement>(null);
  const told = useRef<HTMLDivElement>(null);
  const { isDark } = useTheme();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme is read from the page.
  useEffect(() => {
    const place = box.current;
    if (!place) return;
    const style = getComputedStyle(document.documentElement);
    const color = (name: string) => style.getPropertyValue(name).trim();
    const axis: uPlot.Axis = {
      stroke: color("--muted"),
      grid: { stroke: color("--line"), width: 1 },
      ticks: { show: false },
      font: FONT,
    };
    const plot = new uPlot(
      {
        width: place.clientWidth,
        height,
        padding: [10, 18, 0, 0],
        legend: { show: false },
        cursor: { sync: { key: group }, y: false, points: { size: 6 } },
        scales: { y: { range: (_plot, _low, high) => [0, niceTop(high)] } },
        axes: [
          {
            ...axis,
            size: 26,
            space: 70,
            values: (_plot, ticks) => ticks.map((each) => formatTime(each)),
          },
          {
            ...axis,
            size: 54,
            space: 36,
            values: (_plot, ticks) => ticks.map((each) => format(each)),
          },
        ],
        series: [
          {},
          ...series.map((each) => ({
            label: each.label,
            stroke: color(each.color),
            width: 1.75,
            fill: each.isFilled
              ? `color-mix(in oklch, ${color(each.color)} 14%, transparent)`
              : undefined,
            points: { show: times.length < 3 },
          })),
        ],
        hooks: {
          setCursor: [(drawn) => tell(drawn, told.current, props)],
        },
      },
      [[...times], ...series.map((each) => [...each.values])] as uPlot.AlignedData,
      place,
    );
    const watch = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height }));
    watch.observe(place);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [times, series, format, formatTime, group, height, isDark]);
  return (
    <div className="relative">
      <div ref={box} role="img" aria-label={label} style={{ height }} className="overflow-hidden" />
      <div
        ref={told}
        aria-hidden
        hidden
        className="pointer-events-none absolute top-1 z-10 flex flex-col gap-0.5 whitespace-nowrap rounded-md border bg-surface px-2.5 py-1.5 text-xs shadow-float"
      />
    </div>
  );
}

/** The end of the scale: something above the highest value, and never nothing. */
function niceTop(high: number | null): number {
  return !high || high <= 0 ? 1 : high * 1.08;
}

/** Says what stands under the pointer. */
function tell(
  plot: uPlot,
  box: HTMLDivElement | null,
  { times, series, format, formatTime }: Props,
) {
  if (!box) return;
  const at = plot.cursor.idx;
  const time = at === null || at === undefined ? undefined : times[at];
  box.hidden = time === undefined;
  if (at === null || at === undefined || time === undefined) return;
  const lines = series.map((each) => {
    const value = each.values[at];
    return line(
      each.color,
      each.label,
      value === null || value === undefined ? "–" : format(value),
    );
  });
  box.replaceChildren(words(formatTime(time)), ...lines);
  const left = (plot.cursor.left ?? 0) + plot.bbox.left / devicePixelRatio;
  const isRight = left > plot.width / 2;
  box.style.left = isRight ? "auto" : `${left + 14}px`;
  box.style.right = isRight ? `${plot.width - left + 14}px` : "auto";
}

function words(text: string): HTMLElement {
  const made = document.createElement("span");
  made.className = "text-muted";
  made.textContent = text;
  return made;
}

function line(color: string, label: string, value: string): HTMLElement {
  const made = document.createElement("span");
  made.className = "flex items-center gap-1.5";
  const dot = document.createElement("span");
  dot.className = "size-2 rounded-full";
  dot.style.background = `var(${color})`;
  const said = document.createElement("span");
  said.className = "ml-auto pl-3 font-medium";
  said.textContent = value;
  made.append(dot, label, said);
  return made;
}

/** The colours of a chart, by name. */
export function Legend({ series }: { series: readonly Pick<Series, "label" | "color">[] }) {
  return (
    <ul className="flex flex-wrap gap-x-4 gap-y-1 text-muted text-xs">
      {series.map((each) => (
        <li key={each.label} className="flex items-center gap-1.5">
          <span
            aria-hidden
            className="size-2 rounded-full"
            style={{ background: `var(${each.color})` }}
          />
          {each.label}
        </li>
      ))}
    </ul>
  );
}
