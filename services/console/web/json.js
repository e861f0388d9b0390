// JSON with integers of 64 bits. `JSON.parse` alone rounds them to 53.

const isRounded = (value) => typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value);

/** Parses JSON to show it: integers that a number cannot hold become strings. */
export const parseShown = (text) => JSON.parse(text, (_, value, context) => (isRounded(value) && context ? context.source : value));

/** Parses JSON to write it again, with the same digits. Throws if the browser would round a number. */
export function parseExact(text) {
  return JSON.parse(text, (_, value, context) => {
    if (!isRounded(value)) return value;
    if (!JSON.rawJSON || !context) throw new RangeError(`${value}: this browser rounds integers of 64 bits`);
    return JSON.rawJSON(context.source);
  });
}
