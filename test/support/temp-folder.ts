import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A fresh folder that is removed when disposed: `using folder = tempFolder()`, then `folder.path`. */
export function tempFolder(): Disposable & { readonly path: string; join(...parts: string[]): string } {
  const path = mkdtempSync(join(tmpdir(), "fabric-test-"));
  return {
    path,
    join: (...parts) => join(path, ...parts),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
