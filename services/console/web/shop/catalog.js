// Reading the catalogue, the index and the recommendations, and evening out what may be said in more than one way.

import { call } from '/assets/api.js';
import { lasting } from '/assets/store.js';

const MOST_KEPT = 300;
const kept = new Map();

/** A product; kept for this page's life, so that rails do not ask twice. */
export function product(id, { fresh = false, signal } = {}) {
  if (!fresh && kept.has(id)) return kept.get(id);
  const promise = call(`/api/product-catalog/v1/products/${encodeURIComponent(id)}`, { signal });
  promise.catch(() => kept.delete(id));
  if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value);
  kept.set(id, promise);
  return promise;
}

/** One page of results. */
export async function search(query, signal) {
  const page = await call('/api/search-sync/v1/search', { query: { limit: 24, facets: 'category,brand,price', ...query }, signal });
  return { ...page, facets: evenFacets(page.facets) };
}

/** Suggestions while typing: `{ text, kind, product_id }`, where `kind` is product, brand or category. */
export async function suggest(q, signal) {
  const answer = await call('/api/search-sync/v1/suggest', { query: { q, limit: 8 }, signal, deadline: 3_000 });
  return (answer?.items ?? []).map((item) => (typeof item === 'string' ? { text: item } : item)).filter((item) => item.text);
}

/** Stock of a SKU: `{ available }`, or nothing where inventory does not know it yet. */
export const stock = (sku, signal) => call(`/api/inventory/v1/stock/${encodeURIComponent(sku)}`, { signal }).catch(() => undefined);

/** A rail of recommendations, each with its product; those that are gone are left out. */
export async function rail(path, { limit = 12, signal, without } = {}) {
  const { items = [] } = await call(`/api/behavior-analytics${path}`, { query: { limit }, signal });
  const wanted = items.filter((item) => item.product_id && item.product_id !== without).slice(0, limit);
  const found = await Promise.allSettled(wanted.map((item) => product(item.product_id)));
  return wanted
    .map((item, i) => ({ ...item, product: found[i].value }))
    .filter((item) => item.product && item.product.status === 'active');
}

/** A product as a card shows it. */
export function cardOf(found) {
  const prices = found.variants.map((variant) => variant.price).sort((a, b) => a.amount - b.amount);
  return {
    product_id: found.id, title: found.title, brand: found.brand, category: found.category,
    price_min: prices[0], price_max: prices[prices.length - 1], in_stock: true,
  };
}

/** Facets as `[{ name, values: [{ value, count }] }]`, whether they came as lists or as maps. */
function evenFacets(facets = {}) {
  const named = Array.isArray(facets) ? facets.map((facet) => [facet.name ?? facet.field, facet.values ?? facet.buckets ?? []]) : Object.entries(facets);
  return named.map(([name, values]) => ({
    name,
    values: (Array.isArray(values) ? values : Object.entries(values).map(([value, number]) => ({ value, count: number })))
      .filter((one) => typeof one.count === 'number' && one.value !== undefined && one.value !== ''),
  }));
}

/** The ids of what was looked at lately, newest first. */
export const seen = () => lasting.get('seen') ?? [];

/** Remembers that a product was looked at. */
export const saw = (id) => lasting.set('seen', [id, ...seen().filter((other) => other !== id)].slice(0, 20));
