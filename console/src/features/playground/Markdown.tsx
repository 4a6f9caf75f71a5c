/** Markdown as elements of the page: never as HTML, and with links to the web alone. */
import { Fragment, type ReactNode } from "react";

export function Markdown({ text }: { text: string }) {
  return (
    <div className="flex min-w-0 flex-col gap-2.5 text-base [&_a]:text-accent [&_a]:underline">
      {blocksOf(text.split(/\r?\n/))}
    </div>
  );
}

/** Whether a text reads as Markdown, and not as plain words. */
export function isMarkdown(text: string): boolean {
  return /^#{1,6} |^\s*[-*] \S|^\d+\. \S|^```|^> |\*\*[^*\n]+\*\*|\[[^\]\n]+\]\([^)\n]+\)|^\|.*\|$/m.test(
    text,
  );
}

const MAX_DEPTH = 8;

function blocksOf(lines: string[], depth = 0): ReactNode[] {
  const found: ReactNode[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? "";
    const taken = blockAt(lines, at, depth);
    if (taken) {
      found.push(<Fragment key={at}>{taken.node}</Fragment>);
      at = taken.next;
    } else if (line.trim() === "") at += 1;
    else {
      const end = endOf(lines, at, (each) => each.trim() !== "" && !begins(each));
      found.push(<p key={at}>{spansOf(lines.slice(at, end).join("\n"))}</p>);
      at = end;
    }
  }
  return found;
}

type Taken = { node: ReactNode; next: number };

function blockAt(lines: string[], at: number, depth: number): Taken | undefined {
  const line = lines[at] ?? "";
  const fence = /^\s*(```|~~~)/.exec(line)?.[1];
  if (fence) {
    const end = endOf(lines, at + 1, (each) => !each.trim().startsWith(fence));
    const code = lines.slice(at + 1, end).join("\n");
    return { node: <CodeBlock text={code} />, next: end + 1 };
  }
  const heading = /^(#{1,6}) +(.*?)#*$/.exec(line);
  if (heading)
    return {
      node: <Heading level={heading[1]?.length ?? 1} text={heading[2] ?? ""} />,
      next: at + 1,
    };
  if (/^ {0,3}([-*_])( *\1){2,} *$/.test(line)) return { node: <hr />, next: at + 1 };
  if (depth > MAX_DEPTH) return undefined;
  if (/^ {0,3}>/.test(line)) {
    const end = endOf(lines, at, (each) => /^ {0,3}>/.test(each));
    const inner = lines.slice(at, end).map((each) => each.replace(/^ {0,3}> ?/, ""));
    return {
      node: (
        <blockquote className="border-l-2 pl-3 text-muted">{blocksOf(inner, depth + 1)}</blockquote>
      ),
      next: end,
    };
  }
  if (isItem(line)) return listAt(lines, at, depth);
  if (line.includes("|") && /^[\s|:-]*-[\s|:-]*$/.test(lines[at + 1] ?? ""))
    return tableAt(lines, at);
  return undefined;
}

const isItem = (line: string) => /^\s*([-*+]|\d{1,9}[.)]) +\S/.test(line);
const begins = (line: string) => /^(#{1,6} |\s*(```|~~~)| {0,3}>)/.test(line) || isItem(line);

function listAt(lines: string[], at: number, depth: number): Taken {
  const indent = /^\s*/.exec(lines[at] ?? "")?.[0].length ?? 0;
  const isNumbered = /^\s*\d/.test(lines[at] ?? "");
  const items: string[][] = [];
  let next = at;
  while (next < lines.length) {
    const line = lines[next] ?? "";
    const inset = /^\s*/.exec(line)?.[0].length ?? 0;
    if (isItem(line) && inset <= indent) {
      if (inset < indent) break;
      items.push([line.replace(/^\s*([-*+]|\d+[.)]) +/, "")]);
    } else if (line.trim() !== "" && inset > indent) {
      items.at(-1)?.push(line.slice(Math.min(inset, indent + 2)));
    } else break;
    next += 1;
  }
  const List = isNumbered ? "ol" : "ul";
  return {
    node: (
      <List className={isNumbered ? "list-decimal pl-5" : "list-disc pl-5"}>
        {items.map((each, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: items never change places.
          <li key={index}>
            {each.length > 1 ? blocksOf(each, depth + 1) : spansOf(each[0] ?? "")}
          </li>
        ))}
      </List>
    ),
    next,
  };
}

function tableAt(lines: string[], at: number): Taken {
  const end = endOf(lines, at, (each) => each.includes("|"));
  const cells = (line: string) =>
    line
      .trim()
      .replace(/^\||\|$/g, "")
      .split("|")
      .map((each) => each.trim());
  const [head, ...body] = [lines[at] ?? "", ...lines.slice(at + 2, end)].map(cells);
  return {
    node: (
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard.
      <section tabIndex={0} className="overflow-x-auto" aria-label={head?.join(", ")}>
        <table className="text-sm">
          <thead>
            <tr>
              {head?.map((each, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: cells never change places.
                <th key={index} className="border px-2 py-1 text-left font-medium">
                  {spansOf(each)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {body.map((row, number) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: rows never change places.
              <tr key={number}>
                {row.map((each, index) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: cells never change places.
                  <td key={index} className="border px-2 py-1">
                    {spansOf(each)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    ),
    next: end,
  };
}

function endOf(lines: string[], from: number, isIn: (line: string) => boolean): number {
  let end = from;
  while (end < lines.length && isIn(lines[end] ?? "")) end += 1;
  return Math.max(end, from);
}

function Heading({ level, text }: { level: number; text: string }) {
  const sizes = ["text-xl", "text-lg", "text-base"];
  // However deep a tool says it is, it stands beneath one heading of the page.
  return (
    <h3 className={`font-semibold ${sizes[level - 1] ?? "text-base"}`}>{spansOf(text.trim())}</h3>
  );
}

function CodeBlock({ text }: { text: string }) {
  return (
    <pre className="whitespace-pre-wrap rounded-md bg-sunken p-2.5 font-mono text-xs leading-5">
      {text}
    </pre>
  );
}

const SPAN =
  /(`+)(.+?)\1|\*\*(.+?)\*\*|__(.+?)__|\*([^\s*][^*]*?)\*|\b_([^_]+?)_\b|~~(.+?)~~|!?\[([^\]]*)\]\(([^)\s]+)[^)]*\)|(https?:\/\/[^\s<>)]+)/gs;

function spansOf(text: string): ReactNode[] {
  const found: ReactNode[] = [];
  let at = 0;
  for (const match of text.matchAll(SPAN)) {
    if (match.index > at) found.push(text.slice(at, match.index));
    found.push(<Fragment key={match.index}>{spanOf(match)}</Fragment>);
    at = match.index + match[0].length;
  }
  if (at < text.length) found.push(text.slice(at));
  return found;
}

function spanOf(match: RegExpMatchArray): ReactNode {
  const [, , code, strong, bold, emphasis, slanted, struck, label, target, bare] = match;
  if (code) return <code className="rounded-sm bg-hover px-1 font-mono text-[0.92em]">{code}</code>;
  if (strong ?? bold) return <strong>{spansOf(strong ?? bold ?? "")}</strong>;
  if (emphasis ?? slanted) return <em>{spansOf(emphasis ?? slanted ?? "")}</em>;
  if (struck) return <s>{spansOf(struck)}</s>;
  const address = target ?? bare ?? "";
  const text = label || address;
  return /^(https?:|mailto:)/i.test(address) ? (
    <a href={address} target="_blank" rel="noopener noreferrer">
      {text}
    </a>
  ) : (
    text
  );
}
