// Browser storage. If the browser forbids it, values live in memory until the page reloads.

function createStore(area) {
  const fallback = new Map();
  return {
    get(key) {
      try {
        return JSON.parse(window[area].getItem(`shixuan.${key}`)) ?? fallback.get(key);
      } catch {
        return fallback.get(key);
      }
    },
    set(key, value) {
      fallback.set(key, value);
      try {
        window[area].setItem(`shixuan.${key}`, JSON.stringify(value));
      } catch {
        // Full or forbidden: the copy in memory remains.
      }
    },
    remove(key) {
      fallback.delete(key);
      try {
        window[area].removeItem(`shixuan.${key}`);
      } catch {
        // As above.
      }
    },
  };
}

/** Persists across visits. */
export const localStore = createStore('localStorage');

/** Lasts until the tab is closed. */
export const sessionStore = createStore('sessionStorage');

/** Creates a UUIDv7. `crypto.randomUUID` creates version 4 only and needs HTTPS. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const now = Date.now();
  for (let i = 0; i < 6; i += 1) bytes[i] = Math.floor(now / 2 ** (8 * (5 - i))) % 256;
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
