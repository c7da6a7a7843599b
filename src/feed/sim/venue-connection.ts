import type { ServerSocket } from "../../core/env.ts";
import type { BadDice } from "./bad-day.ts";
import { BadWire } from "./bad-wire.ts";
import type { SessionWire, SimProtocol, SimSession, SimTrade, SimView } from "./protocols/contract.ts";

export interface ConnectionDeps {
  readonly protocol: SimProtocol;
  readonly view: SimView;
  /** Exchange time as shown. */
  readonly nowMs: () => number;
  readonly wallMs: () => number;
  /** Exchange ms per wall ms. */
  readonly speed: number;
  /** Null on a good day. */
  readonly dice: BadDice | null;
  /** A text was written and so many bytes now wait for the client. */
  readonly sent: (connection: VenueConnection, waitingBytes: number) => void;
}

const NORMAL_CLOSE = 1000;
const TOO_MANY = 1008;
const CUT_FRAME_CHARS = 16 * 1024 * 1024;
/** The least wall time between an announced close and the close. */
const LEAST_NOTICE_MS = 1000;

/** One client of a simulated venue: gathers its trades into messages as the venue does, on a good or on a bad day. */
export class VenueConnection {
  readonly session: SimSession;
  readonly socket: ServerSocket;
  readonly #deps: ConnectionDeps;
  readonly #bad: BadWire | null;
  /** What is gathered, by symbol, in order of first trades. */
  readonly #gathered = new Map<string, SimTrade[]>();
  #window = 0;
  #askedMs: number[] = [];
  #closeWallMs = Number.POSITIVE_INFINITY;
  #open = true;

  /** `number` counts the exchange's connections. */
  constructor(socket: ServerSocket, url: URL, subscribed: readonly string[], number: number, deps: ConnectionDeps) {
    this.socket = socket;
    this.#deps = deps;
    const { protocol, view, dice, nowMs, wallMs } = deps;
    const wire: SessionWire = {
      send: (text) => (this.#bad ? this.#bad.text(text) : this.#write(text)),
      close: (code, reason) => this.close(code, reason),
      nowMs,
      wallMs,
    };
    this.session = protocol.session(wire, view, subscribed, url);
    this.#bad =
      dice === null
        ? null
        : new BadWire(dice, number, nowMs(), {
            tell: (trade) => this.#gather(trade),
            send: (text) => this.#write(text),
            drop: () => this.#drop(),
            shutDown: () => this.#shutDown(),
          });
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** A message of the client's. The answer overtakes what is still gathered, and nothing else. False where it was one too many. */
  request(text: string): boolean {
    const { most, withinMs } = this.#deps.protocol.messageRate;
    const wallMs = this.#deps.wallMs();
    this.#askedMs = [...this.#askedMs.filter((askedMs) => askedMs > wallMs - withinMs), wallMs];
    if (this.#askedMs.length > most) {
      this.close(TOO_MANY, "too many messages");
      return false;
    }
    this.session.message(text);
    return true;
  }

  trade(trade: SimTrade): void {
    if (!this.#open) return;
    if (this.#bad) this.#bad.trade(trade);
    else this.#gather(trade);
  }

  /** Every trade up to this time was given. */
  pass(throughMs: number): void {
    if (!this.#open) return;
    this.#bad?.pass(throughMs);
    const { gatherMs } = this.#deps.protocol;
    if (gatherMs > 0 && Math.floor((throughMs + 1) / gatherMs) > this.#window) this.#flush();
  }

  beat(): void {
    if (!this.#open) return;
    if (this.#deps.wallMs() >= this.#closeWallMs) {
      this.close(NORMAL_CLOSE, "as announced");
      return;
    }
    this.session.beat();
  }

  close(code: number, reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.socket.close(code, reason);
  }

  /** The client is gone. */
  ended(): void {
    this.#open = false;
  }

  #gather(trade: SimTrade): void {
    const { gatherMs } = this.#deps.protocol;
    if (gatherMs === 0) {
      this.#tell([trade]);
      return;
    }
    // A trade that is told late belongs to the window in which it is told.
    const window = Math.floor(Math.max(trade.timeMs, this.#window * gatherMs) / gatherMs);
    if (window > this.#window) this.#flush();
    this.#window = window;
    const gathered = this.#gathered.get(trade.symbol);
    if (gathered) gathered.push(trade);
    else this.#gathered.set(trade.symbol, [trade]);
  }

  #flush(): void {
    if (this.#gathered.size === 0) return;
    const all = [...this.#gathered.values()];
    this.#gathered.clear();
    for (const trades of all) this.#tell(trades);
  }

  #tell(trades: readonly SimTrade[]): void {
    if (!this.#open || !this.session.symbols.has(trades[0]?.symbol ?? "")) return;
    if (!this.#bad) {
      for (const text of this.session.frames(trades)) this.#write(text);
      return;
    }
    for (const group of this.#bad.groups(trades)) for (const text of this.session.frames(group)) this.#bad.frame(text);
  }

  #write(text: string): void {
    if (this.#open) this.#deps.sent(this, this.socket.send(text));
  }

  #drop(): void {
    if (!this.#open) return;
    this.#open = false;
    if (!this.socket.drop) {
      this.socket.close(NORMAL_CLOSE, "");
      return;
    }
    // More than the system takes at once: what it took of the frame is all that arrives.
    this.socket.send(" ".repeat(CUT_FRAME_CHARS));
    this.socket.drop();
  }

  #shutDown(): void {
    if (this.#closeWallMs !== Number.POSITIVE_INFINITY) return;
    const noticeMs = this.session.announceClose();
    if (noticeMs === 0) {
      this.close(NORMAL_CLOSE, "");
      return;
    }
    this.#closeWallMs = this.#deps.wallMs() + Math.max(LEAST_NOTICE_MS, noticeMs / this.#deps.speed);
  }
}
