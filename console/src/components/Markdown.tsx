/** Markdown as elements, never as markup: what a tool writes cannot become part of the page. */
import type { ReactNode } from "react";

export function Markdown({ text }: { text: string }) {
  return <div className="flex min-w-0 flex-col gap-2.5 leading-relaxed">{blocks(text)}</div>;
}

function blocks(text: string): ReactNode[] {
  const lines = text.split("\n");
  const found: ReactNode[] = [];
  let at = 0;
  const take = (holds: (line: string) => boolean): string[] => {
    const from = at;
    while (at < lines.length && holds(lines[at] as string)) at += 1;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at] as string;
    const key = at;
    const heading = /^(#{1,6})\s+(.+)$/.exec(line);
    if (line.trim() === "") {
      at += 1;
    } else if (line.startsWith("```")) {
      at += 1;
      const code = take((each) => !each.startsWith("```"));
      at += 1;
      found.push(<Block key={key} text={code.join("\n")} />);
    } else if (heading) {
      at += 1;
      found.push(
        <p key={key} className="mt-1 font-semibold text-lg">
          {inline(heading[2] as string)}
        </p>,
      );
    } else if (LISTED.test(line)) {
      const isNumbered = /^\s*\d/.test(line);
      const items = take((each) => LISTED.test(each));
      const List = isNumbered ? "ol" : "ul";
      found.push(
        <List key={key} className={isNumbered ? "list-decimal pl-6" : "list-disc pl-6"}>
          {items.map((item, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the items of a text do not change.
            <li key={index}>{inline(item.replace(LISTED, ""))}</li>
          ))}
        </List>,
      );
    } else {
      const lead = take(
        (each) => each.trim() !== "" && !/^(#{1,6}\s|```)/.test(each) && !LISTED.test(each),
      );
      found.push(
        <p key={key} className="whitespace-pre-wrap">
          {inline(lead.join("\n"))}
        </p>,
      );
    }
  }
  return found;
}

const LISTED = /^\s*(?:[-*+]|\d+[.)])\s+/;
const INLINE = /(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\(https?:\/\/[^)\s]+\))/g;

function inline(text: string): ReactNode[] {
  return text.split(INLINE).map((part, index) => {
    const key = `${index} ${part}`;
    if (/^`.+`$/.test(part)) {
      return (
        <code key={key} className="rounded-sm bg-hover px-1 py-px font-mono text-[0.9em]">
          {part.slice(1, -1)}
        </code>
      );
    }
    if (/^\*\*.+\*\*$/.test(part)) return <strong key={key}>{part.slice(2, -2)}</strong>;
    const link = /^\[([^\]]+)\]\((https?:\/\/[^)\s]+)\)$/.exec(part);
    if (!link) return part;
    return (
      <a
        key={key}
        href={link[2]}
        target="_blank"
        rel="noreferrer"
        className="text-accent underline"
      >
        {link[1]}
      </a>
    );
  });
}

function Block({ text }: { text: string }) {
  return (
    <pre className="overflow-x-auto rounded-md border bg-sunken p-3 font-mono text-xs leading-5">
      {text}
    </pre>
  );
}
