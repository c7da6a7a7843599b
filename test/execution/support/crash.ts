import type { OpenSqlite, SqlDatabase, SqlStatement } from "../../../src/core/env.ts";
import type { Broker } from "../../../src/execution/broker.ts";

/** A life that ends at its n-th step, as kill -9 would: from then on nothing it does has any effect. */
export class Life {
  #left: number;
  #open: SqlDatabase[] = [];

  constructor(steps: number) {
    this.#left = steps;
  }

  get dead(): boolean {
    return this.#left <= 0;
  }

  step(): void {
    if (this.#left > 0) this.#left--;
    if (this.dead) throw new Error("this life has ended");
  }

  /** SQLite whose every writing call is a step. */
  openSqlite(real: OpenSqlite): OpenSqlite {
    return (path, options) => {
      this.step();
      const database = real(path, options);
      this.#open.push(database);
      return {
        exec: (sql) => {
          this.step();
          database.exec(sql);
        },
        prepare: (sql) => this.#statement(database.prepare(sql)),
        close: () => this.end(),
      };
    };
  }

  /** A broker whose submit may die before the order is there, or after it and before the answer. */
  broker(real: Broker): Broker {
    return {
      mode: real.mode,
      catchesUp: real.catchesUp,
      validityWindowMs: real.validityWindowMs,
      submit: async (order) => {
        this.step();
        const outcome = await real.submit(order);
        this.step();
        return outcome;
      },
      lookup: async (order) => {
        this.step();
        return real.lookup(order);
      },
      account: (symbols, sinceMs) => real.account(symbols, sinceMs),
      follow: (listener) => real.follow(listener),
      close: () => real.close(),
      fillsAt: (candle, open) => real.fillsAt(candle, open),
    };
  }

  /** What the kernel does for a killed process: the files are closed, an open transaction is gone. */
  end(): void {
    for (const database of this.#open.splice(0)) database.close();
  }

  #statement(statement: SqlStatement): SqlStatement {
    return {
      run: (...values) => {
        this.step();
        statement.run(...values);
      },
      get: (...values) => statement.get(...values),
      all: (...values) => statement.all(...values),
    };
  }
}
