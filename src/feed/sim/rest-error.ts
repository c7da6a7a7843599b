/** A refusal as Binance words it: HTTP status, its own code, its message. */
export class RestError extends Error {
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** A parameter that was left out, empty or not readable. */
export function missingParameter(name: string): RestError {
  return new RestError(400, -1102, `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`);
}

/** Its JSON body, as every endpoint answers a refusal. */
export function errorBody(error: RestError): string {
  return JSON.stringify({ code: error.code, msg: error.message });
}
