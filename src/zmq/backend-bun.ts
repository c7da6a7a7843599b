import { FabricError } from "../core/errors.ts";
import type { CurveKeyPair, PubSocket, PubSocketOptions, SubSink, SubSocketOptions, ZmqBackend } from "./contract.ts";
import { ControlSender } from "./control-line.ts";
import { checkEndpoint } from "./endpoint.ts";
import { makeCurveKeyPair, readVersion } from "./library-calls.ts";
import { loadLibzmq } from "./libzmq-bun.ts";
import { nativeLibraryPath } from "./native-library.ts";
import { NativePubSocket } from "./native-pub-socket.ts";
import { checkSubOptions, checkWhole, NativeSubSocket } from "./native-sub-socket.ts";
import { controlAddress } from "./receive-loop.ts";
import { ReceiveShared } from "./receive-shared.ts";
import type { WorkerPost, WorkerStart } from "./receive-worker.ts";
import { SharedContext } from "./shared-context.ts";
import type { Libzmq } from "./symbols.ts";

interface Loaded {
  readonly lib: Libzmq;
  readonly context: SharedContext;
  readonly path: string;
}

/** libzmq through bun:ffi: publishers in the caller's thread, each subscriber receiving in a Worker of its own. */
class BunBackend implements ZmqBackend {
  readonly name = "bun-ffi";
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
    const { lib, context, path } = this.#load();
    const contextHandle = context.acquire();
    const id = this.#nextId++;
    const control = new ControlSender(lib, contextHandle, controlAddress(id));
    const shared = new ReceiveShared();
    const socket = new NativeSubSocket(control, shared, sink);
    const worker = new Worker(new URL("./receive-worker.ts", import.meta.url).href);
    try {
      const start: WorkerStart = { context: contextHandle, id, options, libraryPath: path, shared: shared.memory };
      const { endpoints, ended } = await startWorker(worker, start, socket);
      const release = () => {
        worker.terminate();
        context.release();
      };
      // A context with an open socket can never be terminated: an abandoned one is left to the end of the process.
      socket.attach({ endpoints, ended, release, abandon: () => worker.terminate() });
      return socket;
    } catch (error) {
      worker.terminate();
      control.close();
      context.release();
      throw error;
    }
  }

  #load(): Loaded {
    if (this.#loaded === null) {
      const path = nativeLibraryPath();
      const lib = loadLibzmq(path);
      this.#loaded = { lib, context: new SharedContext(lib), path };
    }
    return this.#loaded;
  }
}

export const zmqBackend: ZmqBackend = new BunBackend();

interface StartedWorker {
  readonly endpoints: readonly string[];
  readonly ended: Promise<string | null>;
}

/** Resolves once the Worker's sockets are open; rejects with its FabricError where they cannot be. */
function startWorker(worker: Worker, start: WorkerStart, socket: NativeSubSocket): Promise<StartedWorker> {
  let end: (reason: string | null) => void = () => {};
  const ended = new Promise<string | null>((resolve) => {
    end = resolve;
  });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<WorkerPost>) => {
      if (data instanceof ArrayBuffer) socket.deliverFrames(data);
      else if (data.type === "statuses") socket.deliverStatuses(data.statuses);
      else if (data.type === "opened") resolve({ endpoints: data.endpoints, ended });
      else if (data.type === "not-opened") reject(new FabricError(data.code, data.message));
      else end(data.reason);
    };
    worker.onerror = (event) => {
      reject(new FabricError("internal", `Cannot start the receiving thread: ${event.message}`));
      end(event.message);
    };
    worker.postMessage(start);
  });
}
