/** Polls until `probe` stops throwing and gives a truthy value; fails with its last error after `withinMs`. */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  withinMs = 5000,
  what = "condition",
): Promise<NonNullable<T>> {
  const end = performance.now() + withinMs;
  let last: unknown;
  do {
    try {
      const value = await probe();
      if (value) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  } while (performance.now() < end);
  throw last ?? new Error(`Not within ${withinMs} ms: ${what}`);
}
