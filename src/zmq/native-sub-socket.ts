import { FabricError } from "../core/errors.ts";
import type { SubCounters, SubSink, SubSocket, SubSocketOptions, ZmqStatus } from "./contract.ts";
import { type Command, type ControlSender, MAX_COMMAND_BYTES } from "./control-line.ts";
import { checkEndpoint } from "./endpoint.ts";
import { BufferBatch } from "./frame-batch.ts";
import type { ReceiveShared } from "./receive-shared.ts";

/** How long a close waits for the receiver before it is given up. */
const CLOSE_WAIT_MS = 1000;

/** What a backend runs behind a subscriber. */
export interface Receiver {
  readonly endpoints: readonly string[];
  /** Resolves when its sockets are closed: with null when told to stop, else with why it ended. */
  readonly ended: Promise<string | null>;
  /** After `ended`: frees what the backend holds for it. */
  release(): void;
  /** Instead of `release`, where it does not end in time. */
  abandon(): void;
}

/** The consumer's side of a subscriber, for both backends. */
export class NativeSubSocket implements SubSocket {
  readonly #control: ControlSender;
  readonly #shared: ReceiveShared;
  readonly #sink: SubSink;
  #receiver: Receiver | null = null;
  #closing: Promise<void> | null = null;

  constructor(control: ControlSender, shared: ReceiveShared, sink: SubSink) {
    this.#control = control;
    this.#shared = shared;
    this.#sink = sink;
  }

  get endpoints(): readonly string[] {
    return this.#receiver?.endpoints ?? [];
  }

  /** Ties this to its running receiver; if that ends by itself, the subscriber reports "failed" and closes. */
  attach(receiver: Receiver): void {
    this.#receiver = receiver;
    void receiver.ended.then((reason) => {
      if (reason === null || this.#closing) return;
      this.#sink.onStatus({ type: "failed", reason });
      void this.close();
    });
  }

  /** Hands a packed batch to the consumer; its `done` lets the receiver send the next. */
  deliverFrames(batch: ArrayBuffer): void {
    let acknowledged = false;
    const done = () => {
      if (acknowledged) return;
      acknowledged = true;
      if (this.#shared.framesDone()) this.#tell({ kind: "wake" });
    };
    if (this.#closing) done();
    else this.#sink.onFrames(new BufferBatch(batch), done);
  }

  deliverStatuses(statuses: readonly ZmqStatus[]): void {
    try {
      if (!this.#closing) for (const status of statuses) this.#sink.onStatus(status);
    } finally {
      if (this.#shared.statusesDone()) this.#tell({ kind: "wake" });
    }
  }

  counters(): SubCounters {
    return this.#shared.counters();
  }

  subscribe(prefix: Uint8Array): void {
    this.#tell({ kind: "subscribe", prefix });
  }

  unsubscribe(prefix: Uint8Array): void {
    this.#tell({ kind: "unsubscribe", prefix });
  }

  connect(address: string): void {
    checkEndpoint({ address, how: "connect" });
    this.#tell({ kind: "connect", address });
  }

  disconnect(address: string): void {
    checkEndpoint({ address, how: "connect" });
    this.#tell({ kind: "disconnect", address });
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    this.#shared.stop();
    this.#control.send({ kind: "wake" });
    const ended = await endsWithin(this.#receiver?.ended, CLOSE_WAIT_MS);
    this.#control.close();
    if (ended) this.#receiver?.release();
    else this.#receiver?.abandon();
    this.#sink.onStatus({ type: "closed" });
  }

  #tell(command: Command): void {
    if (this.#closing || this.#control.send(command)) return;
    this.#sink.onStatus({ type: "failed", reason: `The receiving thread does not take the command "${command.kind}"` });
  }
}

/** Checks what needs no I/O; throws FabricError "usage". */
export function checkSubOptions(options: SubSocketOptions): void {
  for (const endpoint of options.endpoints) checkEndpoint(endpoint);
  checkWhole("receiveHighWaterMark", options.receiveHighWaterMark);
  checkWhole("bufferMessages", options.bufferMessages);
  checkWhole("bufferBytes", options.bufferBytes);
  const long = options.subscriptions.find((subscription) => subscription.length >= MAX_COMMAND_BYTES);
  if (long) throw new FabricError("usage", `A subscription has under ${MAX_COMMAND_BYTES} bytes, found ${long.length}`);
}

/** A C int of at least 1; libzmq would take 0 for "no bound". Throws FabricError "usage". */
export function checkWhole(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= 0x7fffffff) return;
  throw new FabricError("usage", `${name} is a whole number of at least 1, found ${value}`);
}

async function endsWithin(ended: Promise<unknown> | undefined, waitMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), waitMs);
  });
  const result = await Promise.race([Promise.resolve(ended).then(() => true), late]);
  clearTimeout(timer);
  return result;
}
