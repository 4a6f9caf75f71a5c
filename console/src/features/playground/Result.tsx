/** The result of a tool, each part in its own way. */
import { FileText } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Badge } from "@/components/Badge";
import { Code } from "@/components/Copy";
import { Markdown } from "@/components/Markdown";
import type { JSONObject } from "./mcp";
import { faultsOf } from "./validate";

type Block = {
  type?: string;
  text?: string;
  data?: string;
  mimeType?: string;
  uri?: string;
  name?: string;
  title?: string;
  description?: string;
  resource?: { uri?: string; mimeType?: string; text?: string; blob?: string };
};

type Props = { result: JSONObject; outputSchema?: JSONObject };

export function Result({ result, outputSchema }: Props) {
  const { t } = useTranslation("playground");
  const content = (Array.isArray(result.content) ? result.content : []) as Block[];
  const structured = result.structuredContent;
  return (
    <div className="flex min-w-0 flex-col gap-4">
      {structured !== undefined && <Structured value={structured} schema={outputSchema} />}
      {content.map((block, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a result do not change.
        <OneBlock key={index} block={block} />
      ))}
      {content.length === 0 && structured === undefined && (
        <p className="text-muted">{t("emptyResult")}</p>
      )}
    </div>
  );
}

function Structured({ value, schema }: { value: unknown; schema?: JSONObject }) {
  const { t } = useTranslation("playground");
  const faults = schema ? faultsOf(value, schema) : [];
  return (
    <section>
      <h2 className="mb-1.5 flex items-center gap-2 font-medium text-sm">
        {t("structured")}
        {schema && (
          <Badge tone={faults.length === 0 ? "ok" : "bad"}>
            {faults.length === 0 ? t("fits") : t("fitsNot")}
          </Badge>
        )}
      </h2>
      {faults.length > 0 && (
        <ul className="mb-2 list-disc pl-5 text-bad text-sm">
          {faults.map((fault) => (
            <li key={fault}>
              <code className="font-mono">{fault}</code>
            </li>
          ))}
        </ul>
      )}
      <Code label={t("structured")} text={JSON.stringify(value, null, 2)} />
    </section>
  );
}

function OneBlock({ block }: { block: Block }) {
  const { t } = useTranslation("playground");
  if (block.type === "text") return <TextBlock text={block.text ?? ""} />;
  if (block.type === "image" && block.data && isOf(block.mimeType, "image/")) {
    return (
      <img
        src={`data:${block.mimeType};base64,${block.data}`}
        alt={t("image")}
        className="max-h-96 max-w-full self-start rounded-md border"
      />
    );
  }
  if (block.type === "audio" && block.data && isOf(block.mimeType, "audio/")) {
    return (
      // biome-ignore lint/a11y/useMediaCaption: what a tool answers brings no captions.
      <audio
        controls
        aria-label={t("audio")}
        src={`data:${block.mimeType};base64,${block.data}`}
        className="w-full"
      />
    );
  }
  if (block.type === "resource_link") return <Linked block={block} />;
  if (block.type === "resource" && block.resource) {
    const { uri, text, mimeType } = block.resource;
    return (
      <section>
        <p className="mb-1 text-muted text-xs">{[uri, mimeType].filter(Boolean).join(" · ")}</p>
        <Code label={uri ?? t("resource")} text={text ?? t("binary")} wrap />
      </section>
    );
  }
  return <Code label={t("unknownPart")} text={JSON.stringify(block, null, 2)} />;
}

function TextBlock({ text }: { text: string }) {
  const { t } = useTranslation("playground");
  const pretty = asPrettyJSON(text);
  if (pretty) return <Code label={t("text")} text={pretty} />;
  return <Markdown text={text} />;
}

function Linked({ block }: { block: Block }) {
  return (
    <div className="flex items-start gap-3 rounded-md border p-3">
      <FileText aria-hidden className="mt-0.5 size-4 shrink-0 text-muted" />
      <div className="min-w-0">
        <p className="font-medium">{block.title ?? block.name}</p>
        {block.description && <p className="text-muted text-sm">{block.description}</p>}
        <code className="font-mono text-muted text-xs">{block.uri}</code>
      </div>
    </div>
  );
}

function asPrettyJSON(text: string): string | null {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}

function isOf(mimeType: string | undefined, kind: string): boolean {
  return mimeType?.startsWith(kind) ?? false;
}
