/** What is shown where there is no page, or where one failed. */
import { type ErrorComponentProps, Link, useRouter } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { useTranslation } from "react-i18next";
import { buttonStyle } from "@/components/Button";
import { Empty, Failure, Page } from "@/components/Page";

export function Lost() {
  const { t } = useTranslation("shell");
  return (
    <Page title={t("lost.title")}>
      <Empty
        icon={Compass}
        title={t("lost.what")}
        actions={
          <Link to="/" className={buttonStyle({ kind: "primary" })}>
            {t("lost.back")}
          </Link>
        }
      >
        {t("lost.why")}
      </Empty>
    </Page>
  );
}

export function Troubled({ error }: ErrorComponentProps) {
  const { t } = useTranslation("shell");
  const router = useRouter();
  return (
    <Page title={t("troubled")}>
      <Failure error={error} retry={() => router.invalidate()} />
    </Page>
  );
}
