/** The mark and the name. */
export function Brand() {
  return (
    <span className="inline-flex items-center gap-2 font-semibold text-lg tracking-tight">
      <Mark />
      {"Interlock"}
    </span>
  );
}

export function Mark({ className = "size-6" }: { className?: string }) {
  return <img src="/icon.svg" alt="" width={24} height={24} className={className} />;
}
