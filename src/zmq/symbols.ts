/**
 * The C functions fabric calls, in one table (signatures from libzmq 4.3's zmq.h). Addresses and handles are plain numbers.
 *
 * Who frees what, and when:
 * - A context (zmq_ctx_new) belongs to `SharedContext`: zmq_ctx_term when its last socket is closed.
 * - A socket (zmq_socket) belongs to the object that made it, is used by the thread that made it only, and goes with
 *   zmq_close in that object's close.
 * - Every buffer passed in is a `NativeBuffer`: its owner keeps it in a field for as long as C may read or write it. libzmq
 *   copies what it is given (zmq_send, zmq_setsockopt) or writes before it returns (zmq_recv, zmq_getsockopt), so no
 *   pointer outlives a call; zmq_poll's items are the exception, and live as long as the socket that polls.
 * - zmq_strerror answers static text, never freed.
 */
export const SYMBOLS = {
  zmq_version: { args: ["address", "address", "address"], result: "void" },
  zmq_errno: { args: [], result: "int" },
  zmq_strerror: { args: ["int"], result: "address" },
  zmq_ctx_new: { args: [], result: "address" },
  zmq_ctx_term: { args: ["address"], result: "int" },
  zmq_socket: { args: ["address", "int"], result: "address" },
  zmq_close: { args: ["address"], result: "int" },
  zmq_setsockopt: { args: ["address", "int", "address", "size"], result: "int" },
  zmq_getsockopt: { args: ["address", "int", "address", "address"], result: "int" },
  zmq_bind: { args: ["address", "address"], result: "int" },
  zmq_unbind: { args: ["address", "address"], result: "int" },
  zmq_connect: { args: ["address", "address"], result: "int" },
  zmq_disconnect: { args: ["address", "address"], result: "int" },
  zmq_send: { args: ["address", "address", "size", "int"], result: "int" },
  zmq_recv: { args: ["address", "address", "size", "int"], result: "int" },
  zmq_poll: { args: ["address", "int", "long"], result: "int" },
  zmq_socket_monitor: { args: ["address", "address", "int"], result: "int" },
  zmq_curve_keypair: { args: ["address", "address"], result: "int" },
} as const satisfies Readonly<Record<string, CSignature>>;

export type CType = "address" | "int" | "size" | "long" | "void";

export interface CSignature {
  readonly args: readonly CType[];
  readonly result: CType;
}

/** The table as callable functions: each argument and result a number (a null pointer is 0). */
export type CFunctions = {
  readonly [Name in keyof typeof SYMBOLS]: (...args: Numbers<(typeof SYMBOLS)[Name]["args"]>) => number;
};

type Numbers<Args extends readonly CType[]> = { [At in keyof Args]: number };

/** Memory that C may use: its own ArrayBuffer (which never moves), with its address. Hold it while C may. */
export interface NativeBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  readonly address: number;
}

/** libzmq as one of the runtimes offers it. */
export interface Libzmq {
  readonly c: CFunctions;
  allocate(sizeBytes: number): NativeBuffer;
  /** Copies the NUL-ended text at an address. */
  textAt(address: number): string;
}

/** Socket types and options by their zmq.h names, less the ZMQ_ prefix. */
export const ZMQ = {
  PAIR: 0,
  PUB: 1,
  SUB: 2,
  SUBSCRIBE: 6,
  UNSUBSCRIBE: 7,
  RCVMORE: 13,
  LINGER: 17,
  RECONNECT_IVL: 18,
  RECONNECT_IVL_MAX: 21,
  MAXMSGSIZE: 22,
  SNDHWM: 23,
  RCVHWM: 24,
  LAST_ENDPOINT: 32,
  CURVE_SERVER: 47,
  CURVE_PUBLICKEY: 48,
  CURVE_SECRETKEY: 49,
  CURVE_SERVERKEY: 50,
  CONFLATE: 54,
  HANDSHAKE_IVL: 66,
  HEARTBEAT_IVL: 75,
  HEARTBEAT_TIMEOUT: 77,
  DONTWAIT: 1,
  POLLIN: 1,
} as const;
