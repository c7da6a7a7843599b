import type { Browser } from "playwright-core";
import type { DashboardAssets } from "../../src/bridge/contract.ts";
import { bridgeFixture, type Fixture, listen } from "../bridge/bridge-fixture.ts";
import { FabricSource } from "../bridge/fabric-source.ts";
import { Screen } from "./support-browser.ts";

/** A bridge fed by a generated fabric, one second of it every 200 ms unless another beat is asked for; 0 is no beat. */
export class Stage implements AsyncDisposable {
  readonly source = new FabricSource();
  bridge: Fixture;
  readonly #assets: DashboardAssets;
  readonly #screens: Screen[] = [];
  #server: ReturnType<typeof listen>;
  #feeding: ReturnType<typeof setInterval> | null = null;
  #life = 1;

  constructor(assets: DashboardAssets, beatMs = 200) {
    this.#assets = assets;
    this.bridge = this.#newBridge();
    this.#server = listen(this.bridge.app);
    if (beatMs > 0) this.feed(beatMs);
  }

  get url(): string {
    return this.#server.url;
  }

  /** One second of the fabric, now. */
  readonly second = (): void => this.source.second((topic, body) => this.bridge.hub.ingest(topic, body));

  feed(beatMs: number): void {
    this.second();
    this.#feeding ??= setInterval(this.second, beatMs);
  }

  starve(): void {
    if (this.#feeding) clearInterval(this.#feeding);
    this.#feeding = null;
  }

  async killBridge(): Promise<void> {
    await this.bridge.hub.close();
    await this.#server.stop();
  }

  startBridge(): void {
    this.bridge = this.#newBridge();
    this.#server = listen(this.bridge.app, this.#server.port);
  }

  async open(browser: Browser | null, look: Parameters<typeof Screen.open>[2] = {}): Promise<Screen> {
    const screen = await Screen.open(browser, this.url, look);
    this.#screens.push(screen);
    return screen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.starve();
    for (const screen of this.#screens) await screen[Symbol.asyncDispose]();
    await this.killBridge();
  }

  #newBridge(): Fixture {
    return bridgeFixture({ assets: this.#assets, candles: this.source, epoch: `life${this.#life++}` });
  }
}
