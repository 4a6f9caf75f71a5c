/** One piece of a result, as what it is: words, a picture, a sound, a resource, a link to one. */
import { useQuery } from "@tanstack/react-query";
import { FileText, Link2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Badge } from "@/components/Badge";
import { Button } from "@/components/Button";
import { Code } from "@/components/Copy";
import { useFormats } from "@/components/format";
import { Failure, Skeleton } from "@/components/Page";
import type { Json, Place } from "./client/protocol";
import { isMarkdown, Markdown } from "./Markdown";
import { ask } from "./runs";

type Props = { item: Json; place: Place };

export function Content({ item, place }: Props) {
  const { t } = useTranslation("playground");
  const data = String(item.data ?? "");
  const type = String(item.mimeType ?? "");
  if (item.type === "text") return <Words text={String(item.text ?? "")} />;
  if (item.type === "image") return <Picture data={data} type={type} />;
  if (item.type === "audio") return <Sound data={data} type={type} />;
  if (item.type === "resource") return <Resource contents={(item.resource ?? {}) as Json} />;
  if (item.type === "resource_link") return <ResourceLink link={item} place={place} />;
  return <Code text={JSON.stringify(item, null, 2)} label={t("content.unknown")} />;
}

function Words({ text }: { text: string }) {
  const { t } = useTranslation("playground");
  const [isPlain, setPlain] = useState(false);
  const asJson = prettyOf(text);
  if (asJson) return <Code text={asJson} label={t("content.text")} wrap />;
  if (!isMarkdown(text)) return <Code text={text} label={t("content.text")} wrap />;
  return (
    <div>
      {isPlain ? (
        <Code text={text} label={t("content.text")} wrap />
      ) : (
        <div className="rounded-md border p-4">
          <Markdown text={text} />
        </div>
      )}
      <Button kind="quiet" size="sm" className="mt-1" onClick={() => setPlain(!isPlain)}>
        {isPlain ? t("content.asMarkdown") : t("content.asText")}
      </Button>
    </div>
  );
}

/** A text that is an object or a list in JSON, laid out; null for all others. */
function prettyOf(text: string): string | null {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}

function Picture({ data, type }: { data: string; type: string }) {
  const { t } = useTranslation("playground");
  const { bytes } = useFormats();
  if (!/^image\/[\w.+-]+$/.test(type)) return <Badge tone="warn">{type}</Badge>;
  return (
    <figure>
      <img
        src={`data:${type};base64,${data}`}
        alt={t("content.image")}
        className="max-h-96 min-h-10 min-w-10 max-w-full rounded-md border bg-sunken object-contain"
      />
      <figcaption className="mt-1 text-muted text-xs">
        {type} · {bytes(sizeOf(data))}
      </figcaption>
    </figure>
  );
}

function Sound({ data, type }: { data: string; type: string }) {
  const { t } = useTranslation("playground");
  const { bytes } = useFormats();
  if (!/^audio\/[\w.+-]+$/.test(type)) return <Badge tone="warn">{type}</Badge>;
  return (
    <figure>
      {/* biome-ignore lint/a11y/useMediaCaption: nobody has written what a tool's sound says. */}
      <audio
        controls
        aria-label={t("content.audio")}
        src={`data:${type};base64,${data}`}
        className="w-full max-w-md"
      />
      <figcaption className="mt-1 text-muted text-xs">
        {type} · {bytes(sizeOf(data))}
      </figcaption>
    </figure>
  );
}

const sizeOf = (base64: string) => Math.floor((base64.length * 3) / 4);

function Resource({ contents }: { contents: Json }) {
  const { t } = useTranslation("playground");
  const { bytes } = useFormats();
  const type = String(contents.mimeType ?? "");
  const blob = typeof contents.blob === "string" ? contents.blob : undefined;
  return (
    <div className="rounded-md border">
      <p className="flex flex-wrap items-center gap-2 border-b bg-sunken px-3 py-1.5 text-xs">
        <FileText aria-hidden className="size-3.5 text-muted" />
        <code className="min-w-0 font-mono">{String(contents.uri ?? "")}</code>
        {type && <Badge>{type}</Badge>}
      </p>
      <div className="p-3">
        {blob === undefined ? (
          <Words text={String(contents.text ?? "")} />
        ) : type.startsWith("image/") ? (
          <Picture data={blob} type={type} />
        ) : type.startsWith("audio/") ? (
          <Sound data={blob} type={type} />
        ) : (
          <p className="text-muted text-sm">{t("content.binary", { size: bytes(sizeOf(blob)) })}</p>
        )}
      </div>
    </div>
  );
}

function ResourceLink({ link, place }: { link: Json; place: Place }) {
  const { t } = useTranslation("playground");
  const [isOpen, setOpen] = useState(false);
  const uri = String(link.uri ?? "");
  return (
    <div className="rounded-md border p-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <Link2 aria-hidden className="size-4 shrink-0 text-accent" />
        <div className="min-w-0 flex-1">
          <p className="font-medium text-sm">{String(link.title ?? link.name ?? uri)}</p>
          <code className="font-mono text-muted text-xs">{uri}</code>
        </div>
        {typeof link.mimeType === "string" && <Badge>{link.mimeType}</Badge>}
        <Button size="sm" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {isOpen ? t("content.fold") : t("content.read")}
        </Button>
      </div>
      {typeof link.description === "string" && (
        <p className="mt-1.5 text-muted text-sm">{link.description}</p>
      )}
      {isOpen && <Read uri={uri} place={place} />}
    </div>
  );
}

function Read({ uri, place }: { uri: string; place: Place }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["resource", place.project, place.era, uri],
    queryFn: () => ask(place, "resources/read", { uri }),
    retry: false,
  });
  return (
    <div className="mt-3 flex flex-col gap-2">
      {error ? (
        <Failure error={error} retry={refetch} />
      ) : !data ? (
        <Skeleton className="h-16" />
      ) : (
        (data.contents as Json[]).map((each) => <Resource key={String(each.uri)} contents={each} />)
      )}
    </div>
  );
}
