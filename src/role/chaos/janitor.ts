import { type ChildProcess, spawn } from "node:child_process";
import { CHAOS_MARK } from "./actor.ts";

/**
 * Waits for a word on its stdin. With "done" all was put in order; where the pipe ends without it, chaos was killed: then
 * whatever process carries the mark is woken, so that it can end by itself, and killed where it does not. Mounts go in both cases, the
 * innermost first.
 */
const SCRIPT = `trap '' INT TERM HUP
work=$1; shift
read -r word
for path in "$@"; do while umount -l "$path" 2>/dev/null; do :; done; done
[ "$word" = done ] && exit
marked() { grep -lzs "^${CHAOS_MARK}=$work$" /proc/[0-9]*/environ | cut -d/ -f3; }
for pid in $(marked); do kill -CONT "$pid"; done
for tries in 1 2 3 4 5 6; do [ -n "$(marked)" ] || break; sleep 1; done
for pid in $(marked); do kill -KILL "$pid"; done
rm -rf -- "$work"
`;

/** Cleans up after a chaos that was killed: a shell beside it that outlives it. */
export class Janitor {
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;

  /** `work`: this run's own folder and mark. `mounts`: what may be mounted, innermost first. */
  constructor(work: string, mounts: readonly string[]) {
    this.#process = spawn("sh", ["-c", SCRIPT, "fabric-chaos-janitor", work, ...mounts], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    this.#process.stdin?.on("error", () => undefined);
    this.#exited = new Promise((resolve) => {
      this.#process.once("error", () => resolve());
      this.#process.once("exit", () => resolve());
    });
  }

  /** Unmounts, and resolves once it is gone. Idempotent. */
  async dismiss(): Promise<void> {
    this.#process.stdin?.end("done\n");
    await this.#exited;
  }
}
