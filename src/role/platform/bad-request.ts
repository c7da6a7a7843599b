/** The answer to a request that names no usable host, so that its URL is not whole; null where it is. */
export function badRequest(request: Request): Response | null {
  if (/^https?:/.test(request.url) && URL.canParse(request.url)) return null;
  return new Response(null, { status: 400, headers: { connection: "close" } });
}
