import { type BridgeEvent, TELEMETRY_TYPES, type TelemetryEvent } from "../contract.ts";

export type LinkState = "connecting" | "open" | "lost";

export interface LinkHandlers {
  onState(state: LinkState): void;
  onBridge(event: BridgeEvent): void;
  onTelemetry(event: TelemetryEvent): void;
  /** The bridge cannot go on from where we were: what was known no longer holds, and a whole snapshot follows. */
  onResync(): void;
  /** The bridge wants a login. */
  onLogin(): void;
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 5000;
/** The bridge speaks every 5 s; silence this long means a dead connection that nobody closed. */
const SILENCE_MS = 12_000;

/**
 * Keeps one EventSource on the bridge. The browser reconnects by itself after a broken connection, but gives up for good on an
 * error answer (a proxy's 502, our 503): then, and after silence, a new EventSource is made, with growing delays. It says where we
 * were, as the browser does by itself where it reconnects.
 */
export function openLink(url: string, handlers: LinkHandlers): void {
  let source: EventSource | null = null;
  let lastHeardMs = performance.now();
  let retryMs = FIRST_RETRY_MS;
  let lastEventId = "";
  let reopening: ReturnType<typeof setTimeout> | null = null;

  const reopen = () => {
    source?.close();
    source = null;
    handlers.onState("lost");
    if (reopening !== null) return;
    const jittered = retryMs * (0.75 + Math.random() / 2);
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
    reopening = setTimeout(() => {
      reopening = null;
      open();
    }, jittered);
  };

  const open = () => {
    const fresh = new EventSource(lastEventId === "" ? url : `${url}?lastEventId=${encodeURIComponent(lastEventId)}`);
    source = fresh;
    lastHeardMs = performance.now();
    fresh.onopen = () => {
      lastHeardMs = performance.now();
      retryMs = FIRST_RETRY_MS;
      handlers.onState("open");
    };
    fresh.onerror = () => {
      if (fresh !== source) return;
      if (fresh.readyState === EventSource.CLOSED) {
        reopen();
        void wantsLogin().then((wanted) => wanted && handlers.onLogin());
      } else handlers.onState("lost");
    };
    const hear = (type: string, take: (data: unknown) => void) => {
      fresh.addEventListener(type, (event) => {
        if (fresh !== source) return;
        lastHeardMs = performance.now();
        const { data, lastEventId: id } = event as MessageEvent<string>;
        if (id !== "") lastEventId = id;
        take(JSON.parse(data));
      });
    };
    hear("bridge", (data) => handlers.onBridge(data as BridgeEvent));
    hear("resync", () => handlers.onResync());
    for (const type of TELEMETRY_TYPES) hear(type, (data) => handlers.onTelemetry({ type, data } as TelemetryEvent));
  };

  setInterval(() => {
    if (source && performance.now() - lastHeardMs > SILENCE_MS) reopen();
  }, 1000);
  handlers.onState("connecting");
  open();
}

/** Whether the bridge answers that it has a token and we have no session. EventSource does not tell an answer's status. */
async function wantsLogin(): Promise<boolean> {
  try {
    return (await fetch("/readyz", { cache: "no-store" })).status === 401;
  } catch {
    return false;
  }
}
