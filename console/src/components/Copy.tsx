/** Text to take along: a button that copies, and a block of code with one. */
import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Button, IconButton } from "./Button";
import { cx } from "./cx";

type Props = { text: string; label?: string; kind?: "primary" | "plain" };

export function CopyButton({ text, label, kind }: Props) {
  const { t } = useTranslation("common");
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), 1800);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = () => navigator.clipboard.writeText(text).then(() => setCopied(true));
  const Icon = isCopied ? Check : Copy;
  if (!label) {
    return (
      <IconButton label={isCopied ? t("copied") : t("copy")} onClick={copy}>
        <Icon aria-hidden className={cx("size-4", isCopied && "text-ok")} />
      </IconButton>
    );
  }
  return (
    <Button kind={kind} onClick={copy}>
      <Icon aria-hidden className="size-4" />
      {isCopied ? t("copied") : label}
    </Button>
  );
}

type CodeProps = { text: string; label: string; className?: string; wrap?: boolean };

export function Code({ text, label, className, wrap }: CodeProps) {
  return (
    <div className={cx("relative min-w-0 rounded-md border bg-sunken", className)}>
      <section
        aria-label={label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard.
        tabIndex={0}
        className="max-h-96 overflow-auto p-3 pr-12"
      >
        <pre className={cx("font-mono text-xs leading-5", wrap && "whitespace-pre-wrap")}>
          {text}
        </pre>
      </section>
      <div className="absolute top-1 right-1 rounded-md bg-sunken">
        <CopyButton text={text} />
      </div>
    </div>
  );
}
