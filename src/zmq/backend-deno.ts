import { messageOf } from "../core/errors.ts";
import type { CurveKeyPair, PubSocket, PubSocketOptions, SubSink, SubSocketOptions, ZmqBackend } from "./contract.ts";
import { ControlSender } from "./control-line.ts";
import { checkEndpoint } from "./endpoint.ts";
import { makeCurveKeyPair, readVersion } from "./library-calls.ts";
import { type DenoLibzmq, loadLibzmq } from "./libzmq-deno.ts";
import { nativeLibraryPath } from "./native-library.ts";
import { NativePubSocket } from "./native-pub-socket.ts";
import { checkSubOptions, checkWhole, NativeSubSocket } from "./native-sub-socket.ts";
import { controlAddress, ReceiveLoop } from "./receive-loop.ts";
import { ReceiveShared } from "./receive-shared.ts";
import { SharedContext } from "./shared-context.ts";

interface Loaded {
  readonly lib: DenoLibzmq;
  readonly context: SharedContext;
}

/**
 * libzmq through Deno.dlopen, all in the caller's thread: the poll waits in Deno's pool, the drain that follows is
 * synchronous. While the event loop is busy nobody drains, so a slow consumer's drops happen in libzmq, uncounted.
 */
class DenoBackend implements ZmqBackend {
  readonly name = "deno-ffi";
  #loaded: Loaded | null = null;
  #nextId = 1;

  version(): string {
    return readVersion(this.#load().lib);
  }

  curveKeyPair(): CurveKeyPair {
    return makeCurveKeyPair(this.#load().lib);
  }

  openPublisher(options: PubSocketOptions): PubSocket {
    for (const endpoint of options.endpoints) checkEndpoint(endpoint);
    checkWhole("sendHighWaterMark", options.sendHighWaterMark);
    const { lib, context } = this.#load();
    return new NativePubSocket(lib, context, options);
  }

  async openSubscriber(options: SubSocketOptions, sink: SubSink): Promise<NativeSubSocket> {
    checkSubOptions(options);
    const { lib, context } = this.#load();
    const contextHandle = context.acquire();
    const id = this.#nextId++;
    const control = new ControlSender(lib, contextHandle, controlAddress(id));
    const shared = new ReceiveShared();
    const socket = new NativeSubSocket(control, shared, sink);
    let loop: ReceiveLoop;
    try {
      const out = {
        frames: (batch: ArrayBuffer) => socket.deliverFrames(batch),
        statuses: (statuses: Parameters<typeof socket.deliverStatuses>[0]) => socket.deliverStatuses(statuses),
      };
      loop = new ReceiveLoop(lib, { context: contextHandle, id, options }, shared, out, () => performance.now());
    } catch (error) {
      control.close();
      context.release();
      throw error;
    }
    // An abandoned loop still holds its sockets, so its context is left to the end of the process.
    socket.attach({
      endpoints: loop.endpoints,
      ended: run(lib, loop),
      release: () => context.release(),
      abandon: () => {},
    });
    return socket;
  }

  #load(): Loaded {
    if (this.#loaded === null) {
      const lib = loadLibzmq(nativeLibraryPath());
      this.#loaded = { lib, context: new SharedContext(lib) };
    }
    return this.#loaded;
  }
}

export const zmqBackend: ZmqBackend = new DenoBackend();

/** Receives until told to stop; resolves with null, or with why it ended by itself. */
async function run(lib: DenoLibzmq, loop: ReceiveLoop): Promise<string | null> {
  let reason: string | null = null;
  try {
    while (!loop.stopped) {
      await lib.pollLater(loop.pollAddress, loop.pollItems, loop.prepareToPoll());
      loop.step();
    }
  } catch (error) {
    reason = messageOf(error);
  }
  loop.close();
  return reason;
}
