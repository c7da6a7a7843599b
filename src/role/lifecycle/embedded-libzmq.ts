import { join } from "node:path";
import { embedded } from "#embedded";
import { setNativeLibraryPath } from "../../zmq/native-library.ts";
import { extract } from "../embedded/extract.ts";

/** In the compiled binary: unpacks its libzmq and points the zmq room to it. From source there is nothing to do. */
export function useEmbeddedLibzmq(): void {
  if (embedded) setNativeLibraryPath(join(extract([embedded.zmq]), embedded.zmq.name));
}
