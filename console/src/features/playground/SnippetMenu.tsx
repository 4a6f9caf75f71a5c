/** The call as a command or a program, to take along. */
import { CodeXml } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "@/components/Button";
import { Code } from "@/components/Copy";
import { Dialog } from "@/components/Dialog";
import { TabPanel, Tabs } from "@/components/Tabs";
import type { JSONObject } from "./mcp";
import { type SnippetLanguage, snippet } from "./snippets";

const LANGUAGES: readonly { value: SnippetLanguage; label: string }[] = [
  { value: "curl", label: "curl" },
  { value: "python", label: "Python" },
  { value: "typescript", label: "TypeScript" },
];

type Props = { project: string; tool: string; args: JSONObject };

export function SnippetMenu({ project, tool, args }: Props) {
  const { t } = useTranslation("playground");
  const [isOpen, setOpen] = useState(false);
  const [language, setLanguage] = useState<SnippetLanguage>("curl");
  return (
    <>
      <Button size="sm" onClick={() => setOpen(true)}>
        <CodeXml aria-hidden className="size-3.5" />
        {t("code")}
      </Button>
      <Dialog
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        size="lg"
        title={t("codeTitle")}
        note={t("codeNote")}
      >
        <Tabs
          label={t("codeTitle")}
          value={language}
          onChange={(value) => setLanguage(value as SnippetLanguage)}
          tabs={LANGUAGES}
        >
          {LANGUAGES.map(({ value, label }) => (
            <TabPanel key={value} value={value}>
              <Code
                label={label}
                text={snippet(value, { address: location.origin, project, tool, args })}
              />
            </TabPanel>
          ))}
        </Tabs>
      </Dialog>
    </>
  );
}
