/** Acts that wait a moment, so that they can be taken back; leaving the page does them at once. */

const WAIT = 7000; // milliseconds

const waiting = new Map<() => void, ReturnType<typeof setTimeout>>();

/** Does `act` soon; the function that is returned takes it back. */
export function soon(act: () => void): () => void {
  const run = () => {
    waiting.delete(run);
    act();
  };
  waiting.set(run, setTimeout(run, WAIT));
  return () => {
    clearTimeout(waiting.get(run));
    waiting.delete(run);
  };
}

addEventListener("pagehide", () => {
  for (const [run, timer] of waiting) {
    clearTimeout(timer);
    run();
  }
});
