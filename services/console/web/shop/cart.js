// The cart, stored in this browser until checkout.

import { localStore } from '/assets/storage.js';

const MAX_LINES = 100;
const MAX_QUANTITY = 999;

const changed = new EventTarget();

/** The lines: `{ sku, product_id, quantity, title, options, price, category }`. Price and title are those at the time of adding. */
export const lines = () => localStore.get('cart') ?? [];

/** The total quantity of all lines. */
export const itemCount = () => lines().reduce((sum, line) => sum + line.quantity, 0);

/** Calls `f` after every change, including changes in other tabs. */
export function onCartChange(f) {
  changed.addEventListener('change', f);
  addEventListener('storage', (event) => { if (event.key === 'shixuan.cart') f(); });
}

function save(next) {
  localStore.set('cart', next.slice(0, MAX_LINES));
  changed.dispatchEvent(new Event('change'));
}

/** Adds `quantity` units of a variant. */
export function add(line, quantity) {
  const all = lines();
  const existing = all.find((other) => other.sku === line.sku);
  if (existing) Object.assign(existing, line, { quantity: Math.min(MAX_QUANTITY, existing.quantity + quantity) });
  else all.push({ ...line, quantity });
  save(all);
}

/** Sets the quantity of a SKU; 0 removes the line. */
export function setQuantity(sku, quantity) {
  save(lines().map((line) => (line.sku === sku ? { ...line, quantity: Math.min(MAX_QUANTITY, quantity) } : line)).filter((line) => line.quantity > 0));
}

export const clear = () => save([]);
