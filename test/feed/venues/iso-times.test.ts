import { expect, test } from "bun:test";
import fc from "fast-check";
import { IsoTimes, isoMs } from "../../../src/feed/venues/fields.ts";

const fraction = fc.string({ unit: fc.constantFrom(..."0123456789"), maxLength: 9 });
/** Times of few minutes, so that the same one comes again, some of them broken at one place. */
const time = fc
  .tuple(
    fc.integer({ min: 0, max: 4 }),
    fc.integer({ min: 0, max: 61 }),
    fraction,
    fc.nat(40),
    fc.constantFrom("", "x", "-", "9"),
  )
  .map(([minute, second, digits, at, broken]) => {
    const text = `2024-08-08T23:5${minute}:${String(second).padStart(2, "0")}${digits === "" ? "" : `.${digits}`}Z`;
    return broken === "" ? text : text.slice(0, at) + broken + text.slice(at + 1);
  });

test("A time is the same number whatever was read before it", () => {
  fc.assert(
    fc.property(fc.array(time, { maxLength: 30 }), fc.string({ maxLength: 5 }), (texts, around) => {
      const times = new IsoTimes();
      for (const text of texts) {
        const told = times.ms(around + text + around, around.length, around.length + text.length);
        expect(told).toBe(isoMs(text, 0, text.length));
      }
    }),
    { numRuns: 2000 },
  );
});

test("A time is the one that the language's own reading gives, cut to whole ms", () => {
  const times = new IsoTimes();
  for (const text of [
    "2024-08-08T23:54:15.342259Z",
    "2024-08-08T23:54:59.9Z",
    "2024-08-08T23:55:00Z",
    "2024-08-08T23:54:15Z",
  ])
    expect(times.ms(text, 0, text.length)).toBe(Math.floor(Date.parse(text)));
});
