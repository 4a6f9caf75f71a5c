/** An editor for JSON, loaded when it is first shown. */
import { json } from "@codemirror/lang-json";
import { Prec } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { basicSetup } from "codemirror";
import { useEffect, useRef } from "react";

type Props = { text: string; onChange: (text: string) => void; label: string };

const look = EditorView.theme({
  "&": { fontSize: "0.8125rem", backgroundColor: "var(--sunken)", color: "var(--ink)" },
  "&.cm-focused": { outline: "2px solid var(--accent)" },
  ".cm-content": { fontFamily: "var(--font-mono)", minHeight: "9rem", caretColor: "var(--ink)" },
  ".cm-scroller": { maxHeight: "60dvh", fontFamily: "var(--font-mono)" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--muted)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in oklch, var(--accent) 28%, transparent) !important",
  },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".ͼe": { color: "var(--ok)" },
  ".ͼd, .ͼc, .ͼb": { color: "var(--accent)" },
  ".ͼl": { color: "var(--ink)" },
});

export function JsonEditor({ text, onChange, label }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const tell = useRef(onChange);
  tell.current = onChange;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text of the start; later ones below.
  useEffect(() => {
    const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";
    const made = new EditorView({
      doc: text,
      parent: box.current ?? undefined,
      extensions: [
        EditorView.cspNonce.of(nonce),
        // The form around it takes these keys to run the tool.
        Prec.highest(keymap.of([{ key: "Mod-Enter", run: () => true }])),
        basicSetup,
        json(),
        look,
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": label }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) tell.current(update.state.doc.toString());
        }),
      ],
    });
    view.current = made;
    return () => made.destroy();
  }, [label]);
  useEffect(() => {
    const made = view.current;
    if (!made || made.state.doc.toString() === text) return;
    made.dispatch({ changes: { from: 0, to: made.state.doc.length, insert: text } });
  }, [text]);
  return <div ref={box} className="overflow-hidden rounded-md border" />;
}
