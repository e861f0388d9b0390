// The cart: lives in this browser until it becomes an order.

import { lasting } from '/assets/store.js';

const MOST_LINES = 100;
const MOST_PIECES = 999;

const changed = new EventTarget();

/** The lines: `{ sku, product_id, quantity, title, options, price, category }`. Price and title are what the shopper saw. */
export const lines = () => lasting.get('cart') ?? [];

/** How many pieces. */
export const pieces = () => lines().reduce((sum, line) => sum + line.quantity, 0);

/** Calls `f` after every change, also those made in other tabs. */
export function onCartChange(f) {
  changed.addEventListener('change', f);
  addEventListener('storage', (event) => { if (event.key === 'shixuan.cart') f(); });
}

function keep(next) {
  lasting.set('cart', next.slice(0, MOST_LINES));
  changed.dispatchEvent(new Event('change'));
}

/** Adds pieces of a variant. */
export function add(line, quantity) {
  const all = lines();
  const there = all.find((one) => one.sku === line.sku);
  if (there) Object.assign(there, line, { quantity: Math.min(MOST_PIECES, there.quantity + quantity) });
  else all.push({ ...line, quantity });
  keep(all);
}

/** Sets how many pieces of a SKU; zero takes it out. */
export function setQuantity(sku, quantity) {
  keep(lines().map((line) => (line.sku === sku ? { ...line, quantity: Math.min(MOST_PIECES, quantity) } : line)).filter((line) => line.quantity > 0));
}

/** Takes everything out. */
export const clear = () => keep([]);
