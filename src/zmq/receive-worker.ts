import { FabricError, messageOf } from "../core/errors.ts";
import type { ZmqStatus } from "./contract.ts";
import { loadLibzmq } from "./libzmq-bun.ts";
import { ReceiveLoop, type ReceiveStart } from "./receive-loop.ts";
import { ReceiveShared } from "./receive-shared.ts";

/** The main thread's one message to this Worker. */
export interface WorkerStart extends ReceiveStart {
  readonly libraryPath: string;
  readonly shared: SharedArrayBuffer;
}

/** What this Worker posts: a bare ArrayBuffer is a packed batch. */
export type WorkerPost =
  | ArrayBuffer
  | { readonly type: "opened"; readonly endpoints: readonly string[] }
  | { readonly type: "not-opened"; readonly code: FabricError["code"]; readonly message: string }
  | { readonly type: "statuses"; readonly statuses: readonly ZmqStatus[] }
  | { readonly type: "closed"; readonly reason: string | null };

declare const self: {
  onmessage: ((event: { readonly data: WorkerStart }) => void) | null;
  postMessage(post: WorkerPost, transfer?: readonly ArrayBuffer[]): void;
};

/** Receives until told to stop; this never yields to the Worker's own event loop, which posting does not need. */
self.onmessage = ({ data: start }) => {
  const shared = new ReceiveShared(start.shared);
  let loop: ReceiveLoop;
  const lib = tryOpen(() => loadLibzmq(start.libraryPath));
  if (!lib) return;
  const opened = tryOpen(
    () =>
      new ReceiveLoop(
        lib,
        start,
        shared,
        {
          frames: (batch) => self.postMessage(batch, [batch]),
          statuses: (statuses) => self.postMessage({ type: "statuses", statuses }),
        },
        () => performance.now(),
      ),
  );
  if (!opened) return;
  loop = opened;
  self.postMessage({ type: "opened", endpoints: loop.endpoints });
  let reason: string | null = null;
  try {
    while (!loop.stopped) {
      const timeoutMs = loop.prepareToPoll();
      if (timeoutMs !== 0) lib.c.zmq_poll(loop.pollAddress, loop.pollItems, timeoutMs);
      loop.step();
    }
  } catch (error) {
    reason = messageOf(error);
  }
  loop.close();
  self.postMessage({ type: "closed", reason });
};

/** Null after posting why it could not be done. */
function tryOpen<T>(open: () => T): T | null {
  try {
    return open();
  } catch (error) {
    const code = error instanceof FabricError ? error.code : "internal";
    self.postMessage({ type: "not-opened", code, message: messageOf(error) });
    return null;
  }
}
