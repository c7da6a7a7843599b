import { expect, test } from "bun:test";
import { MAX_FRAME_BYTES, MAX_PEER_FRAME_BYTES } from "../../src/zmq/contract.ts";
import { loadLibzmq } from "../../src/zmq/libzmq-bun.ts";
import { nativeLibraryPath } from "../../src/zmq/native-library.ts";
import { NativeSocket } from "../../src/zmq/native-socket.ts";
import { type NativeBuffer, ZMQ } from "../../src/zmq/symbols.ts";
import { eventually } from "../support/eventually.ts";
import { Net } from "./net.ts";

const SNDMORE = 2;

/** A peer that does not keep our rules: plain libzmq, any number of parts of any size. */
class RoughPeer implements Disposable {
  readonly #lib = loadLibzmq(nativeLibraryPath());
  readonly #context = this.#lib.c.zmq_ctx_new();
  readonly #socket = new NativeSocket(this.#lib, this.#context, ZMQ.PUB);
  #buffer: NativeBuffer = this.#lib.allocate(MAX_PEER_FRAME_BYTES + 1);
  readonly address: string;

  constructor() {
    this.address = this.#socket.attach({ address: "tcp://127.0.0.1:0", how: "bind" });
  }

  /** Sends one message of these parts; a number stands for that many bytes of "x y…". */
  send(...parts: readonly (string | number)[]): void {
    parts.forEach((part, at) => {
      const text = typeof part === "number" ? "x " : part;
      this.#buffer.bytes.set(new TextEncoder().encode(text));
      const sizeBytes = typeof part === "number" ? part : text.length;
      const flags = ZMQ.DONTWAIT | (at < parts.length - 1 ? SNDMORE : 0);
      this.#lib.c.zmq_send(this.#socket.handle, this.#buffer.address, sizeBytes, flags);
    });
  }

  [Symbol.dispose](): void {
    this.#socket.close();
    this.#lib.c.zmq_ctx_term(this.#context);
  }
}

test("multi-part messages, empty parts and oversize frames of any peer are counted and skipped, each whole", async () => {
  await using net = new Net();
  using peer = new RoughPeer();
  const sub = await net.sub(peer.address, [""]);
  await eventually(() => {
    peer.send("x warm");
    return sub.warmed > 0;
  });
  peer.send("x one", "two", "three");
  peer.send("x ", "");
  peer.send("", "x y");
  peer.send(MAX_FRAME_BYTES + 1);
  peer.send(MAX_PEER_FRAME_BYTES);
  peer.send("");
  peer.send("x last");
  await eventually(() => sub.frames.length > 0);
  expect(sub.frames).toEqual(["x last"]);
  const { malformed, oversize, empty } = sub.counters;
  expect({ malformed, oversize, empty }).toEqual({ malformed: 3, oversize: 2, empty: 1 });
});

test("a peer whose frame passes the outer limit is disconnected, reconnects and is heard again", async () => {
  await using net = new Net();
  using peer = new RoughPeer();
  const sub = await net.sub(peer.address, [""]);
  await eventually(() => {
    peer.send("x warm");
    return sub.warmed > 0;
  });
  peer.send(MAX_PEER_FRAME_BYTES + 1);
  await eventually(() => sub.saw("disconnected"));
  await eventually(() => {
    peer.send("x again");
    return sub.frames.includes("x again");
  });
  expect(sub.counters.oversize).toBe(0);
});

test("bytes that are not ZeroMQ at all on a bound subscriber's port leave it working", async () => {
  await using net = new Net();
  const sub = await net.sub("", ["x"], { endpoints: [{ address: net.address("tcp"), how: "bind" }] });
  const address = sub.socket.endpoints[0] ?? "";
  const port = Number(address.split(":").at(-1));
  const noise = new Uint8Array(5000).map((_, at) => (at * 37) % 251);
  for (let at = 0; at < 5; at++) {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.write(noise.subarray(at * 7));
    socket.end();
  }
  const pub = net.pub("", { endpoints: [{ address, how: "connect" }] });
  await net.warm(pub, sub, "x");
});
