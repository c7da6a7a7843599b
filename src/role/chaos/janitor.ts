import { type ChildProcess, spawn } from "node:child_process";
import { CHAOS_MARK } from "./actor.ts";
import { mountPointText } from "./mounts.ts";

/**
 * Waits for a word on its stdin. With "done" all was put in order; where the pipe ends without it, chaos was killed: then
 * whatever process carries the mark is woken, so that it can end by itself, and killed where it does not, before the mounts go: else it
 * would write on into what lies below them. Our own mounts go in both cases, the innermost first, each once: what is on top of a path
 * goes only where its device is this run's.
 */
const SCRIPT = `trap '' INT TERM HUP
work=$1; device=$2; sockets=$3; shift 3
read -r word
top() { point=$1 awk '$5 == ENVIRON["point"] { for (i = 7; i <= NF; i++) if ($i == "-") { top = $(i + 2); break } }
  END { print top }' /proc/self/mountinfo 2>/dev/null; }
unmount() {
  while [ $# -gt 1 ]; do
    if [ "$(top "$2")" = "$device" ]; then umount -l "$1" 2>/dev/null; fi
    shift 2
  done
}
if [ "$word" = done ]; then unmount "$@"; exit; fi
marked() { grep -lzs "^${CHAOS_MARK}=$work$" /proc/[0-9]*/environ | cut -d/ -f3; }
for pid in $(marked); do kill -CONT "$pid"; done
for tries in 1 2 3 4 5 6; do [ -n "$(marked)" ] || break; sleep 1; done
for pid in $(marked); do kill -KILL "$pid"; done
unmount "$@"
rm -rf -- "$work"
[ -z "$sockets" ] || rm -rf -- "$sockets"
`;

export interface Care {
  /** This run's own folder and mark. */
  readonly work: string;
  /** The device of this run's mounts. */
  readonly device: string;
  /** Where sockets may be outside the data folder, a folder of this data folder's alone; null where they are inside. */
  readonly sockets: string | null;
  /** What may be mounted, innermost first. */
  readonly mounts: readonly string[];
}

/** Cleans up after a chaos that was killed: a shell beside it that outlives it. */
export class Janitor {
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;

  constructor({ work, device, sockets, mounts }: Care) {
    const points = mounts.flatMap((path) => [path, mountPointText(path)]);
    this.#process = spawn("sh", ["-c", SCRIPT, "fabric-chaos-janitor", work, device, sockets ?? "", ...points], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    this.#process.stdin?.on("error", () => undefined);
    this.#exited = new Promise((resolve) => {
      this.#process.once("error", () => resolve());
      this.#process.once("exit", () => resolve());
    });
  }

  /** Unmounts, and resolves once it is gone. Without the word it takes us for killed. Idempotent. */
  async dismiss(word = "done\n"): Promise<void> {
    this.#process.stdin?.end(word);
    await this.#exited;
  }
}
