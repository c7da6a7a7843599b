/** Characters of a request's URL. */
export const MAX_URL_CHARS = 4096;
/** Headers of a request; a browser sends some twenty. The server itself stops reading at 16 KiB of head (Bun). */
export const MAX_HEADERS = 100;
/** Characters of all header names and values. */
export const MAX_HEADER_CHARS = 16 * 1024;

export interface Fault {
  readonly status: 413 | 414 | 431;
  readonly error: string;
}

/** Why a request is more than the bridge takes; null where it is not. Only a login has a body, which its route bounds. */
export function faultOf(request: Request): Fault | null {
  if (request.url.length > MAX_URL_CHARS)
    return {
      status: 414,
      error: `Expected a URL of at most ${MAX_URL_CHARS} characters, found ${request.url.length}`,
    };
  let count = 0;
  let chars = 0;
  request.headers.forEach((value, name) => {
    count++;
    chars += name.length + value.length;
  });
  if (count > MAX_HEADERS) return { status: 431, error: `Expected at most ${MAX_HEADERS} headers, found ${count}` };
  if (chars > MAX_HEADER_CHARS)
    return { status: 431, error: `Expected at most ${MAX_HEADER_CHARS} characters of headers, found ${chars}` };
  if ((request.method === "GET" || request.method === "HEAD") && hasBody(request.headers))
    return { status: 413, error: "Expected a request without a body" };
  return null;
}

function hasBody(headers: Headers): boolean {
  return headers.has("transfer-encoding") || (headers.get("content-length") ?? "0") !== "0";
}
