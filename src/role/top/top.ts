import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { ZmqSubscriber } from "../../bus/zmq-subscriber.ts";
import type { Log } from "../../core/env.ts";
import { Discovery } from "../bridge/discovery.ts";
import { liveNodes } from "../lifecycle/advertisement.ts";
import { type DataFolder, dataFolder } from "../lifecycle/data-folder.ts";
import { useEmbeddedLibzmq } from "../lifecycle/embedded-libzmq.ts";
import { aborted, stopSignal } from "../lifecycle/stop-signal.ts";
import { printJson } from "../tools/print.ts";
import { nodeRows, railRows } from "./node-rows.ts";
import { type PageFacts, page } from "./page.ts";
import { TELEMETRY_FILTERS, TelemetryView } from "./telemetry-view.ts";
import { isScreen, openBlocks, openScreen } from "./terminal.ts";

export interface TopOptions {
  readonly data: string | undefined;
  /** One snapshot, then the end. */
  readonly once: boolean;
  /** With `once`: an array of the node rows. */
  readonly json: boolean;
}

/** Every node speaks once a second, so that each was heard by then. */
const LISTEN_ONCE_MS = 1500;
const REFRESH_MS = 1000;

/** Shows the nodes of a data folder and the rails of its consumers, once or again and again until `q`, Ctrl-C or SIGTERM. */
export async function runTop(options: TopOptions): Promise<number> {
  const folder = dataFolder(options.data);
  using stop = stopSignal();
  process.stdout.on("error", () => stop.stop("the reader is gone"));
  useEmbeddedLibzmq();
  const watch = await Watch.open(folder);
  try {
    if (options.once) {
      const limit = platform.timers.after(LISTEN_ONCE_MS, () => stop.stop("one look"));
      await aborted(stop.signal);
      limit.cancel();
      printOnce(watch.facts(), options.json);
    } else {
      await refresh(watch, stop);
    }
  } finally {
    await watch.close();
  }
  return 0;
}

function printOnce(facts: PageFacts, json: boolean): void {
  if (facts.nodes.length === 0)
    process.stderr.write(`fabric: no node is alive in ${facts.folder}; start one, for example fabric up\n`);
  if (json) printJson(facts.nodes.map((row) => ({ ...row })));
  else if (facts.nodes.length > 0) {
    using sink = openBlocks();
    sink.draw(page(facts, sink.maxLines));
  }
}

async function refresh(
  watch: Watch,
  stop: { readonly signal: AbortSignal; stop(reason: string): void },
): Promise<void> {
  const draw = () => sink.draw(page(watch.facts(), sink.maxLines));
  using sink = isScreen() ? openScreen(() => stop.stop("asked to quit"), draw) : openBlocks();
  draw();
  const timer = platform.timers.every(REFRESH_MS, draw);
  await aborted(stop.signal);
  timer.cancel();
}

/** What is heard of a data folder's nodes. */
class Watch {
  readonly #folder: DataFolder;
  readonly #view = new TelemetryView(platform.clock);
  readonly #sinceMs = platform.clock.nowMs();
  #subscriber: ZmqSubscriber | null = null;
  #discovery: Discovery | null = null;
  #warning: string | null = null;

  private constructor(folder: DataFolder) {
    this.#folder = folder;
  }

  static async open(folder: DataFolder): Promise<Watch> {
    const watch = new Watch(folder);
    const log = watch.#log();
    watch.#subscriber = await ZmqSubscriber.open(
      {
        endpoints: {},
        filters: [...TELEMETRY_FILTERS],
        conflate: "topic",
        onMessage: (frame) => watch.#view.ingest(frame),
      },
      { backend: zmqBackend, clock: platform.clock, log },
    );
    watch.#discovery = new Discovery(folder.run, watch.#subscriber, { ...platform, log });
    return watch;
  }

  facts(): PageFacts {
    const nowMs = platform.clock.nowMs();
    return {
      folder: this.#folder.path,
      nowMs,
      nodes: nodeRows(this.#view, this.#alive(), { sinceMs: this.#sinceMs, nowMs }),
      rails: railRows(this.#view),
      warning: this.#warning,
    };
  }

  async close(): Promise<void> {
    this.#discovery?.close();
    await this.#subscriber?.close();
  }

  #alive() {
    try {
      return liveNodes(this.#folder.run, platform.files, platform.openSqlite);
    } catch {
      // Discovery looks at the same folder and has said why it cannot.
      return [];
    }
  }

  /** stderr would write over the screen: the newest warning has a line of the page. */
  #log(): Log {
    const keep = (message: string) => {
      this.#warning = message;
    };
    return { debug: () => undefined, info: () => undefined, warn: keep, error: keep };
  }
}
