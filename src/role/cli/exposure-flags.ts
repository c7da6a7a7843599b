import type { ArgsDef } from "citty";
import { isLoopback } from "../../bridge/peer.ts";
import type { Values } from "./command.ts";
import { usageError } from "./flags.ts";
import { list, text } from "./parse.ts";

/** Who may read the dashboard, and under which names it is reached. */
export interface Exposure {
  /** The address to listen on. */
  readonly host: string;
  readonly token: string | null;
  /** Where the token is; at most one of the two. */
  readonly tokenFile: string | null;
  /** Consent to listen beyond this machine without a token. */
  readonly insecure: boolean;
  /** Names of proxies, without port. */
  readonly allowHosts: readonly string[];
  /** The one foreign origin whose pages may read. */
  readonly cors: string | null;
}

/** A token's length: short ones can be guessed. */
export const LEAST_TOKEN_CHARS = 16;
const MOST_TOKEN_CHARS = 512;

export const TOKEN_FLAG: ArgsDef = {
  token: {
    type: "string",
    valueHint: "TEXT",
    description: "who shows it may read (others of this machine see it in the process list: better --token-file)",
  },
};

export const EXPOSURE_FLAGS: ArgsDef = {
  "token-file": { type: "string", valueHint: "PATH", description: "a file with the token on one line, mode 0600" },
  insecure: { type: "boolean", description: "let everybody read who reaches --host, without a token" },
  "allow-host": {
    type: "string",
    valueHint: "NAME",
    description: "a further name in the Host header, of a proxy before it; may be given several times",
  },
  cors: { type: "string", valueHint: "ORIGIN", description: "the one other origin whose pages may read (none)" },
};

/** What --host and the flags above say. Throws "usage", also where other machines would reach it and nothing says who may read. */
export function exposureOf(values: Values, known: ArgsDef): Exposure {
  const host = text(values, "host") ?? "127.0.0.1";
  const token = text(values, "token") ?? null;
  const tokenFile = text(values, "token-file") ?? null;
  const insecure = values.insecure === true;
  const given = [token === null ? [] : ["--token"], tokenFile === null ? [] : ["--token-file"]].flat();
  if (insecure) given.push("--insecure");
  if (given.length > 1) throw usageError(`Take ${given.join(" or ")}, not both: a token is asked for, or it is not`);
  if (given.length === 0 && !isLoopback(host)) {
    const ways = ["token" in known ? ["--token TEXT"] : [], "--token-file PATH (who has the token may read)"].flat();
    throw usageError(
      `Cannot listen on ${host}, which other machines may reach, for everybody: expected ${ways.join(" or ")}, or --insecure (everybody may read), found none of them`,
    );
  }
  if (token !== null) checkToken(token, "Bad --token");
  const cors = text(values, "cors") ?? null;
  if (cors !== null && !isOrigin(cors))
    throw usageError(`Bad --cors "${cors}": expected an origin such as https://grafana.example:3000`);
  for (const name of list(values, "allow-host"))
    if (!/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)$/.test(name))
      throw usageError(`Bad --allow-host "${name}": expected a host name without scheme and port`);
  return { host, token, tokenFile, insecure, allowHosts: list(values, "allow-host"), cors };
}

/** Throws "usage" where the text cannot be a token; it is never shown. */
export function checkToken(token: string, bad: string): void {
  const fits = token.length >= LEAST_TOKEN_CHARS && token.length <= MOST_TOKEN_CHARS;
  if (!fits || !/^[\x21-\x7e]+$/.test(token))
    throw usageError(
      `${bad}: expected ${LEAST_TOKEN_CHARS} to ${MOST_TOKEN_CHARS} visible ASCII characters, found ${token.length} characters`,
    );
}

function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}
