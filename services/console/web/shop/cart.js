// The cart, stored in this browser until checkout.

import { localStore } from '/assets/storage.js';

const MAX_LINES = 100;
/** The most pieces of a SKU that the order service accepts by default. */
const MAX_QUANTITY = 200;

const changed = new EventTarget();

/**
 * The lines: `{ sku, product_id, quantity, title, options, price, category, was }`. The price is the one that was shown last; `was` is
 * the price before it, if it has changed since the line was added.
 */
export const lines = () => localStore.get('cart') ?? [];

/** The total quantity of all lines. */
export const itemCount = () => lines().reduce((sum, line) => sum + line.quantity, 0);

/** Calls `f` after every change, including changes in other tabs. */
export function onCartChange(f) {
  changed.addEventListener('change', f);
  addEventListener('storage', (event) => { if (event.key === 'shixuan.cart') f(); });
}

/** Calls `f` after a change in another tab, until `signal` aborts. */
export function onCartChangeElsewhere(f, signal) {
  addEventListener('storage', (event) => { if (event.key === 'shixuan.cart') f(); }, { signal });
}

function save(next) {
  localStore.set('cart', next.slice(0, MAX_LINES));
  changed.dispatchEvent(new Event('change'));
}

/** Adds up to `quantity` units of a variant of which `available` are in stock. Returns how many were added. */
export function add(line, quantity, available = MAX_QUANTITY) {
  const all = lines();
  const existing = all.find((other) => other.sku === line.sku);
  const before = existing?.quantity ?? 0;
  const after = Math.max(before, Math.min(MAX_QUANTITY, available, before + quantity));
  if (existing) Object.assign(existing, line, { was: undefined, quantity: after });
  else if (after > 0) all.push({ ...line, quantity: after });
  save(all);
  return after - before;
}

/** Sets the quantity of a SKU; 0 removes the line. */
export function setQuantity(sku, quantity) {
  save(lines().map((line) => (line.sku === sku ? { ...line, quantity: Math.min(MAX_QUANTITY, quantity) } : line)).filter((line) => line.quantity > 0));
}

/** Sets the price of a SKU. The line remembers the price that was shown before. */
export function setPrice(sku, price) {
  const line = lines().find((one) => one.sku === sku);
  if (!line || isSame(line.price, price)) return;
  save(lines().map((one) => (one.sku === sku ? { ...one, price, was: one.price } : one)));
}

/** Whether two prices are equal. */
const isSame = (one, other) => one.amount === other.amount && one.currency === other.currency;

export const clear = () => save([]);
