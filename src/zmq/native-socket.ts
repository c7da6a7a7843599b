import { chmodSync, statSync, unlinkSync } from "node:fs";
import { constants } from "node:os";
import { FabricError } from "../core/errors.ts";
import type { CurveOptions, Endpoint } from "./contract.ts";
import { checkEndpoint, ipcPath } from "./endpoint.ts";
import { type Libzmq, type NativeBuffer, ZMQ } from "./symbols.ts";

/** Longest option value or address passed to C, in bytes, its NUL included. */
export const MAX_OPTION_BYTES = 4096;

/** Bindings of one ipc path at a time, the lost ones included: each costs a listening file descriptor. */
const MAX_BINDS = 16;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * One C socket with its option and address calls; LINGER is 0 from the start. For one thread, the one that made it. Methods
 * throw FabricError where C answers an error; `sendBytes` and `receiveInto` are the plain non-blocking calls.
 */
export class NativeSocket {
  readonly handle: number;
  readonly #lib: Libzmq;
  /** Option values and addresses pass through here; a field, so that it lives as long as the socket. */
  readonly #scratch: NativeBuffer;
  readonly #size: NativeBuffer;
  /** The ipc files this socket made, with what tells whether one is still its own; null where binding anew failed. */
  readonly #files: { readonly address: string; readonly path: string; identity: string | null; binds: number }[] = [];
  #closed = false;

  constructor(lib: Libzmq, context: number, type: number) {
    this.#lib = lib;
    this.#scratch = lib.allocate(MAX_OPTION_BYTES);
    this.#size = lib.allocate(8);
    this.handle = lib.c.zmq_socket(context, type);
    if (!this.handle) throw new FabricError("unavailable", `Cannot make a ZeroMQ socket: ${this.errorText()}`);
    this.setInt(ZMQ.LINGER, 0);
  }

  setInt(option: number, value: number): void {
    this.#scratch.view.setInt32(0, value, true);
    this.#set(option, 4);
  }

  setInt64(option: number, value: number): void {
    this.#scratch.view.setBigInt64(0, BigInt(value), true);
    this.#set(option, 8);
  }

  /** At most MAX_OPTION_BYTES. */
  setBytes(option: number, value: Uint8Array): void {
    if (value.length > MAX_OPTION_BYTES) {
      throw new FabricError("usage", `A subscription has at most ${MAX_OPTION_BYTES} bytes, found ${value.length}`);
    }
    this.#scratch.bytes.set(value);
    this.#set(option, value.length);
  }

  setCurve(curve: CurveOptions): void {
    if ("server" in curve) {
      this.setInt(ZMQ.CURVE_SERVER, 1);
      this.#setKey(ZMQ.CURVE_SECRETKEY, curve.server.secretKey);
      return;
    }
    this.#setKey(ZMQ.CURVE_SERVERKEY, curve.client.serverKey);
    this.#setKey(ZMQ.CURVE_PUBLICKEY, curve.client.publicKey);
    this.#setKey(ZMQ.CURVE_SECRETKEY, curve.client.secretKey);
  }

  /** Binds or connects and answers the real address (ZMQ_LAST_ENDPOINT). An ipc socket file is made mode 0600. */
  attach(endpoint: Endpoint): string {
    checkEndpoint(endpoint);
    const address = this.#text(endpoint.address);
    const { zmq_bind, zmq_connect } = this.#lib.c;
    const answer = endpoint.how === "bind" ? zmq_bind(this.handle, address) : zmq_connect(this.handle, address);
    if (answer !== 0) throw this.#attachError(endpoint);
    const path = endpoint.how === "bind" ? ipcPath(endpoint.address) : null;
    if (path !== null) {
      chmodSync(path, 0o600);
      this.#files.push({ address: endpoint.address, path, identity: identityOf(path), binds: 1 });
    }
    return this.#lastEndpoint();
  }

  /**
   * Binds anew every ipc address whose file is gone or not our own any more; gives the addresses. The lost binding is left where it
   * is, because unbinding would cut what is connected through it: only where MAX_BINDS of a path have come together are all of
   * them unbound first. Throws FabricError "io" where one cannot be bound, and tries it again at the next call.
   */
  rebindLost(): readonly string[] {
    const lost = this.#files.filter(({ path, identity }) => identity === null || identityOf(path) !== identity);
    for (const file of lost) {
      const address = this.#text(file.address);
      file.identity = null;
      if (file.binds >= MAX_BINDS) {
        this.#lib.c.zmq_unbind(this.handle, address);
        file.binds = 0;
      }
      if (this.#lib.c.zmq_bind(this.handle, address) !== 0)
        throw this.#attachError({ address: file.address, how: "bind" });
      file.binds++;
      chmodSync(file.path, 0o600);
      file.identity = identityOf(file.path);
    }
    return lost.map(({ address }) => address);
  }

  /** Takes a connected address off; throws FabricError "usage" where it was not connected. */
  detach(address: string): void {
    if (this.#lib.c.zmq_disconnect(this.handle, this.#text(address)) !== 0) {
      throw new FabricError("usage", `Cannot disconnect "${address}": ${this.errorText()}`);
    }
  }

  /** Sends the connection events of `mask` to an inproc address; a null one ends that. */
  monitor(address: string | null, mask: number): void {
    const where = address === null ? 0 : this.#text(address);
    if (this.#lib.c.zmq_socket_monitor(this.handle, where, mask) !== 0 && address !== null) {
      throw new FabricError("internal", `Cannot monitor a ZeroMQ socket: ${this.errorText()}`);
    }
  }

  /** zmq_send with DONTWAIT: 0 or more when sent, -1 on an error (see `isAgain`). */
  sendBytes(address: number, sizeBytes: number): number {
    return this.#lib.c.zmq_send(this.handle, address, sizeBytes, ZMQ.DONTWAIT);
  }

  /** zmq_recv with DONTWAIT: the frame's true size, of which at most `capacityBytes` were written; -1 where none waits. */
  receiveInto(address: number, capacityBytes: number): number {
    return this.#lib.c.zmq_recv(this.handle, address, capacityBytes, ZMQ.DONTWAIT);
  }

  /** Whether the frame just received is followed by another part of its message. */
  hasMore(): boolean {
    this.#size.view.setBigUint64(0, 4n, true);
    this.#lib.c.zmq_getsockopt(this.handle, ZMQ.RCVMORE, this.#scratch.address, this.#size.address);
    return this.#scratch.bytes[0] !== 0;
  }

  /** Whether the newest error only means "not now". */
  isAgain(): boolean {
    const code = this.#lib.c.zmq_errno();
    return code === constants.errno.EAGAIN || code === constants.errno.EINTR;
  }

  errorText(): string {
    return this.#lib.textAt(this.#lib.c.zmq_strerror(this.#lib.c.zmq_errno()));
  }

  /** Idempotent; what is unsent is dropped. Removes its ipc files (libzmq leaves them) unless another has taken the path. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { path, identity } of this.#files) if (identity !== null) removeOwn(path, identity);
    this.#lib.c.zmq_close(this.handle);
  }

  #set(option: number, sizeBytes: number): void {
    if (this.#lib.c.zmq_setsockopt(this.handle, option, this.#scratch.address, sizeBytes) !== 0) {
      throw new FabricError("usage", `Cannot set ZeroMQ option ${option}: ${this.errorText()}`);
    }
  }

  #setKey(option: number, key: string): void {
    if (!/^[\x21-\x7e]{40}$/.test(key)) throw new FabricError("usage", "A CURVE key is Z85 text of 40 characters");
    this.#text(key);
    this.#set(option, 41);
  }

  /** Writes a text and its NUL into the scratch buffer; answers its address. */
  #text(text: string): number {
    const bytes = encoder.encode(text);
    if (bytes.length >= MAX_OPTION_BYTES)
      throw new FabricError("usage", `Too long for ZeroMQ: "${text.slice(0, 80)}…"`);
    this.#scratch.bytes.set(bytes);
    this.#scratch.bytes[bytes.length] = 0;
    return this.#scratch.address;
  }

  #lastEndpoint(): string {
    this.#size.view.setBigUint64(0, BigInt(MAX_OPTION_BYTES), true);
    this.#lib.c.zmq_getsockopt(this.handle, ZMQ.LAST_ENDPOINT, this.#scratch.address, this.#size.address);
    const length = Number(this.#size.view.getBigUint64(0, true));
    return decoder.decode(this.#scratch.bytes.subarray(0, Math.max(0, length - 1)));
  }

  #attachError(endpoint: Endpoint): FabricError {
    const code = this.#lib.c.zmq_errno();
    const message = `Cannot ${endpoint.how} "${endpoint.address}": ${this.#lib.textAt(this.#lib.c.zmq_strerror(code))}`;
    if (code === constants.errno.EADDRINUSE) return new FabricError("unavailable", message);
    return new FabricError(ipcPath(endpoint.address) !== null ? "io" : "usage", message);
  }
}

/** A file that cannot be removed is left: the next bind takes it over, and closing must not fail. */
function removeOwn(path: string, identity: string): void {
  try {
    if (identityOf(path) === identity) unlinkSync(path);
  } catch {}
}

/** An inode's number alone is given again at once to the next file; null where there is none. */
function identityOf(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat ? `${stat.ino} ${stat.ctimeMs}` : null;
}
