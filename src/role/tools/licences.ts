import licence from "../../../LICENSE" with { type: "text" };

/** Prints what LICENSE says. */
export async function printLicences(): Promise<number> {
  process.stdout.write(licence);
  return 0;
}
