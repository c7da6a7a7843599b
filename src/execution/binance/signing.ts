import { createHmac } from "node:crypto";
import { FabricError } from "../../core/errors.ts";

/** In the order in which they are sent. */
export type Parameters = readonly (readonly [string, string])[];

/** What opens the account. Neither is ever logged, put into an error or shown in telemetry. */
export interface VenueKeys {
  readonly apiKey: string;
  readonly secret: string;
}

/**
 * Signs requests with HMAC-SHA-256 as Binance's documents "SIGNED Endpoint security" (REST) and "Request security" (WebSocket
 * API) say. Holds the secret in a private field, which no printing of the object shows.
 */
export class Signer {
  readonly #keys: VenueKeys;

  /** Throws FabricError "config" for keys that cannot be any, without showing them. */
  constructor(keys: VenueKeys) {
    for (const [what, text] of [
      ["API key", keys.apiKey],
      ["API secret", keys.secret],
    ] as const) {
      // A header takes neither spaces nor line ends; a copied key often brings one.
      if (!/^[\x21-\x7e]{8,256}$/.test(text))
        throw new FabricError(
          "config",
          `Cannot use the venue's ${what}: expected 8 to 256 visible characters without spaces`,
        );
    }
    this.#keys = { apiKey: keys.apiKey, secret: keys.secret };
  }

  /** The header that names the account. */
  header(): Readonly<Record<string, string>> {
    return { "X-MBX-APIKEY": this.#keys.apiKey };
  }

  /** Query or form text: the parameters percent-encoded in their order, and the signature over exactly that text at its end. */
  form(parameters: Parameters): string {
    const payload = formOf(parameters);
    return `${payload}&signature=${this.#sign(payload)}`;
  }

  /** Parameters of a WebSocket API method: with the key, signed over name=value pairs sorted by name, not encoded. */
  socketParameters(parameters: Parameters): Readonly<Record<string, string>> {
    const all: Parameters = [...parameters, ["apiKey", this.#keys.apiKey]];
    const payload = [...all]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => `${name}=${value}`)
      .join("&");
    return { ...Object.fromEntries(all), signature: this.#sign(payload) };
  }

  #sign(payload: string): string {
    return createHmac("sha256", this.#keys.secret).update(payload).digest("hex");
  }
}

/** Unsigned query text. */
export function formOf(parameters: Parameters): string {
  return parameters.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
}
