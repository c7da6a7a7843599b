import type { Context } from "hono";

/** What the server tells the app beside the request. */
export interface AppBindings {
  /** The client's address; null where the server cannot tell. */
  readonly peer: string | null;
}

/**
 * The client's address, for limits and the log; null where unknown. Where a proxy stands before the bridge (`behindProxy`) and the
 * request comes from this machine, it is the address that the proxy saw: the last of X-Forwarded-For, which it appends.
 */
export function clientOf(c: Context, behindProxy: boolean): string | null {
  const peer = (c.env as Partial<AppBindings> | undefined)?.peer ?? null;
  if (!behindProxy || peer === null || !isLoopback(peer)) return peer;
  const seen = c.req.header("x-forwarded-for")?.split(",").at(-1)?.trim() ?? "";
  return /^[0-9a-fA-F.:]{2,45}$/.test(seen) ? seen : peer;
}

const ADDRESS = "address";

/** Remembers with a request whom bounds per address count; null for nobody: this machine's own programs, or unknown. */
export function setAddress(c: Context, address: string | null): void {
  c.set(ADDRESS, address);
}

export function addressOf(c: Context): string | null {
  return c.get(ADDRESS) ?? null;
}

/** Whether an address is this machine's own: a program of its user, or a proxy that stands for many clients. */
export function isLoopback(address: string): boolean {
  const plain = unmapped(address);
  return plain === "localhost" || plain === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain);
}

/** Whom limits count: an IPv4 address, or the /64 network of an IPv6 one, because a host has all of it to choose from. */
export function networkOf(address: string): string {
  const plain = unmapped(address);
  if (!plain.includes(":")) return plain;
  const [head = "", tail] = (plain.split("%")[0] ?? "").split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array<string>(zeros).fill("0"), ...after]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, "").toLowerCase())
    .join(":");
}

/** An IPv4 client on a socket for both comes as ::ffff:10.0.0.1. */
function unmapped(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}
