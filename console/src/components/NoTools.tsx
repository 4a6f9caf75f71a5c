/** What stands where a project has no tools yet. */
import { Link } from "@tanstack/react-router";
import { Wrench } from "lucide-react";
import { useTranslation } from "react-i18next";
import { buttonStyle } from "./Button";
import { Empty } from "./Page";

export function NoTools({ project }: { project: string }) {
  const { t } = useTranslation("common");
  return (
    <Empty
      icon={Wrench}
      title={t("noTools.title")}
      actions={
        <Link
          to="/p/$project/servers"
          params={{ project }}
          className={buttonStyle({ kind: "primary" })}
        >
          {t("noTools.action")}
        </Link>
      }
    >
      {t("noTools.next")}
    </Empty>
  );
}
