import { FabricError } from "../core/errors.ts";
import type { Libzmq } from "./symbols.ts";

/**
 * The process's one libzmq context, made for the first socket and terminated after the last, so that inproc works between
 * all sockets and nothing of libzmq keeps an idle process alive. Used by the main thread only; a Worker is lent the number.
 */
export class SharedContext {
  readonly #lib: Libzmq;
  #context = 0;
  #users = 0;

  constructor(lib: Libzmq) {
    this.#lib = lib;
  }

  /** One more user; pair with `release`. */
  acquire(): number {
    if (this.#users === 0) this.#context = this.#lib.c.zmq_ctx_new();
    if (!this.#context) throw new FabricError("unavailable", "Cannot make a ZeroMQ context: out of memory or files");
    this.#users++;
    return this.#context;
  }

  /** Call after this user's sockets are closed; the last one waits the moment libzmq needs to put them away. */
  release(): void {
    this.#users--;
    if (this.#users > 0) return;
    this.#lib.c.zmq_ctx_term(this.#context);
    this.#context = 0;
  }
}
