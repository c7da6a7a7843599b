import type { Life } from "./life.ts";
import { SimDisk } from "./sim-disk.ts";
import { SimSqlite } from "./sim-sqlite.ts";
import { TruthFile } from "./sim-truth.ts";
import { VenueAccount } from "./sim-venue.ts";
import { SimWire } from "./sim-wire.ts";
import { VenueMarket } from "./venue-market.ts";
import type { World } from "./world.ts";

export const DATA = "/data";
export const RUN = "/data/run";
export const MARKET_ADDRESS = "ipc:///data/run/market-data.ipc";

/** What all nodes of a run share: the venue, the disk, the wire, the databases, and who holds which name. */
export class Machine {
  readonly world: World;
  readonly market: VenueMarket;
  readonly disk: SimDisk;
  readonly wire: SimWire;
  readonly sqlite: SimSqlite;
  readonly truth = new TruthFile();
  readonly #accounts = new Map<string, VenueAccount>();
  readonly #named = new Map<string, Life>();

  constructor(world: World) {
    this.world = world;
    this.market = new VenueMarket(world);
    this.disk = new SimDisk(world);
    this.wire = new SimWire(world);
    this.sqlite = new SimSqlite(world);
  }

  account(runner: string): VenueAccount {
    let account = this.#accounts.get(runner);
    if (!account) {
      account = new VenueAccount(this.world, this.market, runner);
      this.#accounts.set(runner, account);
    }
    return account;
  }

  accounts(): Iterable<VenueAccount> {
    return this.#accounts.values();
  }

  /** A life acts under its node's name from now on: invariant 6 is judged here, from outside. */
  claim(life: Life): void {
    const other = this.#named.get(life.node);
    this.world.check(6, !other?.alive || other === life, () => `${life.name} runs while ${other?.name} lives`);
    this.#named.set(life.node, life);
  }

  /** An orderly end gives the name back while the life winds up. */
  yield(life: Life): void {
    if (this.#named.get(life.node) === life) this.#named.delete(life.node);
  }
}
