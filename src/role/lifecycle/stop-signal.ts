/** Set by `fabric up` for its children: they leave Ctrl-C to it, and end when it is gone (their stdin closes). */
export const SUPERVISED = "FABRIC_SUPERVISED";

/**
 * Aborts on SIGTERM, SIGINT and SIGHUP; a second one ends the process at once, as the system would have. Under `up` it aborts on
 * SIGTERM and when `up` is gone: SIGINT and SIGHUP reach the whole process group and are for `up` to act on, and a SIGTERM that
 * reaches the group, too, is followed by that of `up`, which is no wish to break off. Call `dispose` when the node has ended.
 */
export function stopSignal(): Disposable & { readonly signal: AbortSignal; stop(reason: string): void } {
  const controller = new AbortController();
  const supervised = process.env[SUPERVISED] === "1";
  const stop = (reason: string) => controller.abort(reason);
  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted && !supervised) {
      dispose();
      process.kill(process.pid, name);
    }
    stop(name);
  };
  const onInterrupt = supervised ? () => undefined : () => onSignal("SIGINT");
  const onHangup = supervised ? () => undefined : () => onSignal("SIGHUP");
  const onTerminate = () => onSignal("SIGTERM");
  const onOrphaned = () => stop("the supervisor is gone");
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
  process.on("SIGHUP", onHangup);
  if (supervised) {
    process.stdin.on("end", onOrphaned).on("close", onOrphaned).on("error", onOrphaned);
    process.stdin.resume();
  }
  function dispose(): void {
    process.off("SIGINT", onInterrupt);
    process.off("SIGTERM", onTerminate);
    process.off("SIGHUP", onHangup);
    if (supervised) process.stdin.off("end", onOrphaned).off("close", onOrphaned).pause();
  }
  return { signal: controller.signal, stop, [Symbol.dispose]: dispose };
}

/** Resolves once the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Calls `run` once the signal is aborted (at once where it is), until disposed: what ends before the signal leaves nothing on it. */
export function onAbort(signal: AbortSignal, run: () => void): Disposable {
  if (signal.aborted) run();
  signal.addEventListener("abort", run, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", run) };
}
