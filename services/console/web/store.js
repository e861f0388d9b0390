// What the browser remembers. A browser that forbids storage forgets with the page; nothing breaks.

function keeper(place) {
  const fallback = new Map();
  return {
    get(key) {
      try {
        return JSON.parse(window[place].getItem(`shixuan.${key}`)) ?? fallback.get(key);
      } catch {
        return fallback.get(key);
      }
    },
    set(key, value) {
      fallback.set(key, value);
      try {
        window[place].setItem(`shixuan.${key}`, JSON.stringify(value));
      } catch {
        // Full or forbidden: the copy in memory serves until the page goes.
      }
    },
    remove(key) {
      fallback.delete(key);
      try {
        window[place].removeItem(`shixuan.${key}`);
      } catch {
        // As above.
      }
    },
  };
}

/** Across visits. */
export const lasting = keeper('localStorage');

/** Until the tab is closed. */
export const passing = keeper('sessionStorage');

/** A new UUIDv7. `crypto.randomUUID` makes version 4 only, and is missing where the page came by plain HTTP. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const now = Date.now();
  for (let i = 0; i < 6; i += 1) bytes[i] = Math.floor(now / 2 ** (8 * (5 - i))) % 256;
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
