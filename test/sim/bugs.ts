/** A bug to be put into the product as it is loaded: the simulator must find it. */
export interface Bug {
  readonly name: string;
  readonly what: string;
  readonly edits: readonly Edit[];
}

/** `find` occurs exactly once in the file, or the run fails. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

function bug(name: string, what: string, ...edits: readonly (readonly [string, string, string])[]): Bug {
  return { name, what, edits: edits.map(([file, find, replace]) => ({ file, find, replace })) };
}

export const BUGS: readonly Bug[] = [
  bug("dedupe-off", "what was handed on before is handed on again", [
    "src/provider/delivery.ts",
    "return row.commitSeq <= this.#window.through || track.hasHandled(row);",
    "return row.commitSeq < 0 && track.hasHandled(row);",
  ]),
  bug("publish-before-commit", "a candle is on the wire before its commit has returned", [
    "src/store/writer.ts",
    "await this.#truth.write(after, { ...NO_CHANGE, rows: numbered.rows, gaps: batch.gaps });",
    "void this.#truth.write(after, { ...NO_CHANGE, rows: numbered.rows, gaps: batch.gaps }).catch(() => {});",
  ]),
  bug("intent-after-order", "the journal learns of an order after the broker", [
    "src/execution/order-desk.ts",
    `    this.#change(intent, { status: "unknown", sentAt: exchangeMs ?? intent.decidedAt, sentWallAt: wallMs });
    this.counts.sent++;
    const outcome = await submitOrder(this.#deps.broker, intent, this.#deps.halted);`,
    `    this.counts.sent++;
    const outcome = await submitOrder(this.#deps.broker, intent, this.#deps.halted);
    this.#change(intent, { status: "unknown", sentAt: exchangeMs ?? intent.decidedAt, sentWallAt: wallMs });`,
  ]),
  bug("cursor-before-delivery", "the cursor is durable before what the candle led to", [
    "src/execution/journal.ts",
    "    const { cursor } = entry;\n",
    "    const { cursor } = entry;\n    this.#sql.cursor.run(cursor.symbol, cursor.lastOpenTime, cursor.digest, cursor.delivered, cursor.commitSeq);\n",
  ]),
  bug("hole-ignored", "a candle is handed on although the one before it was not seen", [
    "src/provider/fast-intake.ts",
    "if (body.prevOpenTime !== track.chainOpenTime) return this.#hold(item);",
    "",
  ]),
  bug(
    "revision-as-new",
    "a correction becomes a new row",
    [
      "src/role/market-data/revision-queue.ts",
      "writer.revise(next.candles)",
      "writer.commit({ candles: next.candles, gaps: [], closedThrough: null })",
    ],
    [
      "src/store/numbering.ts",
      "return candle.openTime > last;",
      "return candle.openTime > last || head !== undefined;",
    ],
  ),
  bug("epoch-ignored", "a publisher's new life counts as its old one", [
    "src/provider/closed-watch.ts",
    "if (heartbeat.epoch === this.#epoch && heartbeat.seq <= this.#seq) return false;",
    "if (heartbeat.seq <= this.#seq) return false;",
  ]),
  bug("lock-skipped", "a second node of one name starts all the same", [
    "src/role/lifecycle/name-lock.ts",
    "if (isBusy(error)) return null;",
    "if (isBusy(error)) return { release() {} };",
  ]),
  bug("id-from-clock", "an order's id hangs on when it was made", [
    "src/execution/client-order-id.ts",
    "symbol, timeframe, openTime, ordinal]",
    "symbol, timeframe, openTime, ordinal, Date.now()]",
  ]),
  bug("ambiguous-is-rejected", "an unclear outcome counts as a refusal", [
    "src/execution/order-desk.ts",
    "      this.counts.unknown++;\n      this.#deps.log.warn(`Order",
    "      this.#refused(intent, outcome.reason);\n      this.#deps.log.warn(`Order",
  ]),
  bug("queue-unbounded", "the commit queue takes whatever comes", [
    "src/store/commit-pipeline.ts",
    "if (this.#waiting.length > 0 && this.#waitingRows + rows > this.#bound) {",
    "if (rows < 0) {",
  ]),
  bug("manifest-before-segment", "a segment is listed before its file stands there", [
    "src/store/segment-folder.ts",
    "this.#deps.files.rename(temporary, path);",
    "this.#deps.timers.after(3, () => this.#deps.files.rename(temporary, path));",
  ]),
  bug("commit-overtaken", "a commit that failed is overtaken by the next", [
    "src/store/commit-pipeline.ts",
    "      this.#stall(messageOf(error));\n",
    "      this.#stall(messageOf(error));\n      this.#waiting.push(...this.#waiting.splice(0, 1));\n",
  ]),
  bug("wrong-anchor", "a restart rebuilds the strategy's state from another beginning", [
    "src/execution/state-fold.ts",
    "} else await this.warm(anchor);",
    "} else await this.warm({ ...anchor, openTime: anchor.openTime - MINUTE_MS });",
  ]),
  bug("fee-lost", "a venue's fee is journaled as nothing", [
    "src/execution/ledger.ts",
    "    fee: fill.fee,",
    '    fee: fill.timeMs === undefined ? fill.fee : "0",',
  ]),
  bug("side-lost", "whatever the venue fills is journaled as bought", [
    "src/execution/ledger.ts",
    "    side: intent.side,",
    '    side: fill.timeMs === undefined ? intent.side : "buy",',
  ]),
  bug("price-rounded", "a venue's price is journaled without its decimals", [
    "src/execution/ledger.ts",
    "    price: fill.price,",
    "    price: fill.timeMs === undefined ? fill.price : String(Math.round(Number(fill.price))),",
  ]),
  bug("base-fee-lost", "a fee taken in the base asset is not journaled", [
    "src/execution/ledger.ts",
    "    baseFee: fill.baseFee ?? null,",
    "    baseFee: null,",
  ]),
  bug("never-lost", "an order that the venue never got stays unknown for good", [
    "src/execution/order-recovery.ts",
    'return windowPassed ? "lose" : "wait";',
    'return "wait";',
  ]),
  bug("lost-too-soon", "an order counts as lost before its window has passed", [
    "src/execution/order-recovery.ts",
    'return windowPassed ? "lose" : "wait";',
    'return "lose";',
  ]),
  bug("lost-is-rejected", "an order counts as refused although nobody refused it", [
    "src/execution/order-desk.ts",
    'this.#change(intent, { status: "lost", reason });',
    'this.#change(intent, { status: "rejected", reason });',
  ]),
  bug("positions-untold", "a runner tells no positions", [
    "src/role/runner/runner-life.ts",
    "return this.#core?.positions() ?? [];",
    "return [];",
  ]),
  bug("corrections-dropped", "a correction that the venue gave is not stored", [
    "src/role/market-data/revision-queue.ts",
    "    if (this.#size + candles.length > MAX_WAITING) {",
    "    if (candles.length > 0) return;\n    if (this.#size + candles.length > MAX_WAITING) {",
  ]),
  bug("quiet-not-mended", "a quiet minute keeps the close that its minute before was corrected from", [
    "src/feed/backfill.ts",
    "    for (const kline of changed) track.correct(kline);\n",
    "",
  ]),
  bug(
    "untold-invented",
    "what was seen of a minute stands in for what the venue does not tell of it, all there or not",
    [
      "src/feed/kline-merge.ts",
      "seen?.openTime === candle.openTime && seen.volume === candle.volume && isSame(candle, seen)",
      "seen?.openTime === candle.openTime && isSame(candle, seen)",
    ],
  ),
  bug("proof-off", "a reader takes a segment's content as it finds it", [
    "src/store/segment-proof.ts",
    ") !== segment.sha256) {",
    ") === segment.kind) {",
  ]),
  bug("heal-off", "damage to what is published waits for the next commit", [
    "src/store/commit-pipeline.ts",
    "    if (this.#healing !== null || this.#isClosing) return;",
    "    if (this.#healing === null || this.#isClosing) return;",
  ]),
];
