import { closeSync, fsyncSync, ftruncateSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { platform } from "#platform";
import { FabricError, messageOf } from "../../core/errors.ts";
import type { RecordingOutput } from "../../feed/replay/recording-writer.ts";

const ACTION = "record into";

/** A file that grows by whole pieces: what does not fit is taken back, so that all of it stays readable. */
export class RecordingFile implements RecordingOutput {
  readonly #path: string;
  readonly #file: number;
  #bytes = 0;
  #closed = false;

  private constructor(path: string, file: number) {
    this.#path = path;
    this.#file = file;
  }

  /** Makes the file. Throws FabricError "refused" where something of that name is there, "missing-input" without its folder, "io". */
  static create(path: string): RecordingFile {
    const { files } = platform;
    const folder = dirname(path);
    if (files.stat(folder)?.isDirectory !== true)
      throw new FabricError("missing-input", `Cannot ${ACTION} ${path}: there is no folder ${folder}`);
    const there = files.stat(path);
    if (there?.isDirectory === true)
      throw new FabricError("usage", `Cannot ${ACTION} ${path}: expected a file's name, found a folder`);
    try {
      return new RecordingFile(path, openSync(path, "wx"));
    } catch (error) {
      if ((error as { readonly code?: unknown }).code === "EEXIST")
        throw new FabricError("refused", `Cannot ${ACTION} ${path}: the file is there, and is never overwritten`);
      throw new FabricError("io", `Cannot ${ACTION} ${path}: ${messageOf(error)}`, { cause: error });
    }
  }

  append(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
    } catch (error) {
      const left = this.#takeBack();
      throw new FabricError("io", `Cannot write ${this.#path}: ${messageOf(error)}; ${left}`, { cause: error });
    }
    this.#bytes += bytes.length;
  }

  /** Makes durable what was written; the file is removed instead where `keep` is false. Idempotent. Throws "io". */
  close(keep: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (keep) fsyncSync(this.#file);
      else rmSync(this.#path, { force: true });
    } catch (error) {
      throw new FabricError("io", `Cannot finish ${this.#path}: ${messageOf(error)}`, { cause: error });
    } finally {
      closeSync(this.#file);
    }
  }

  #takeBack(): string {
    try {
      ftruncateSync(this.#file, this.#bytes);
      return "what was recorded before stays readable";
    } catch (error) {
      return `what was recorded before is readable up to byte ${this.#bytes} (${messageOf(error)})`;
    }
  }
}
