// Requests to the catalogue, search, stock and recommendations, with normalised responses.

import { call } from '/assets/api.js';
import { formatPrice } from '/assets/i18n.js';
import { callAsShopper, shopper } from '/assets/shop/shopper.js';
import { localStore } from '/assets/storage.js';

const MAX_CACHED = 300;
const cache = new Map();

/** Gets a product. Cached until the page reloads, because several lists show the same product. */
export function product(id, { fresh = false, signal } = {}) {
  if (!fresh && cache.has(id)) return cache.get(id);
  const promise = call(`/api/product-catalog/v1/products/${encodeURIComponent(id)}`, { signal });
  promise.catch(() => cache.delete(id));
  if (cache.size >= MAX_CACHED) cache.delete(cache.keys().next().value);
  cache.set(id, promise);
  return promise;
}

/** Gets one page of search results. */
export async function search(query, signal) {
  const page = await call('/api/search-sync/v1/search', { query: { limit: 24, facets: 'category,brand,price', ...query }, signal });
  return { ...page, facets: normalizeFacets(page.facets) };
}

/** Gets suggestions: `{ text, kind, product_id }`, where `kind` is product, brand or category. */
export async function suggest(q, signal) {
  const response = await call('/api/search-sync/v1/suggest', { query: { q, limit: 8 }, signal, timeout: 3_000 });
  return (response?.items ?? []).map((item) => (typeof item === 'string' ? { text: item } : item)).filter((item) => item.text);
}

/** Gets the stock of a SKU: `{ available }`, or `undefined` if inventory does not answer or does not know the SKU. */
export const stock = (sku, signal) => call(`/api/inventory/v1/stock/${encodeURIComponent(sku)}`, { signal }).catch(() => undefined);

/** Gets the recommendations for this shopper, who alone may read them. */
export async function personalRecommendations(options) {
  const { customer_id } = await shopper();
  return recommendations(`/v1/recommendations/for/${customer_id}`, { ...options, send: callAsShopper });
}

/** Gets recommendations, each with its product. Products that are not active are left out. */
export async function recommendations(path, { limit = 12, signal, without, send = call } = {}) {
  const { items = [] } = await send(`/api/behavior-analytics${path}`, { query: { limit }, signal });
  const wanted = items.filter((item) => item.product_id && item.product_id !== without).slice(0, limit);
  const found = await Promise.allSettled(wanted.map((item) => product(item.product_id)));
  return wanted
    .map((item, i) => ({ ...item, product: found[i].value }))
    .filter((item) => item.product && item.product.status === 'active');
}

/** Converts a product to the fields that a card shows. */
export function cardOf(found) {
  const { currency } = found.variants[0]?.price ?? {};
  const prices = found.variants.map((variant) => variant.price).filter((price) => price.currency === currency).sort((a, b) => a.amount - b.amount);
  return {
    product_id: found.id, title: found.title, brand: found.brand, category: found.category,
    price_min: prices[0], price_max: prices[prices.length - 1], in_stock: true,
  };
}

/** The prices of a card as a text, from the lowest to the highest. */
export function priceText({ price_min: low, price_max: high }) {
  if (!low) return '';
  return low.amount === high.amount ? formatPrice(low) : `${formatPrice(low)} – ${formatPrice(high)}`;
}

/** Returns facets as `[{ name, values: [{ value, count }] }]`; the input may consist of lists or maps. */
function normalizeFacets(facets = {}) {
  const named = Array.isArray(facets) ? facets.map((facet) => [facet.name ?? facet.field, facet.values ?? facet.buckets ?? []]) : Object.entries(facets);
  return named.map(([name, values]) => ({
    name,
    values: (Array.isArray(values) ? values : Object.entries(values).map(([value, number]) => ({ value, count: number })))
      .filter((one) => typeof one.count === 'number' && one.value !== undefined && one.value !== ''),
  }));
}

/** The ids of recently viewed products, newest first. */
export const recentlyViewed = () => localStore.get('seen') ?? [];

/** Adds a product to the recently viewed ones. */
export const markViewed = (id) => localStore.set('seen', [id, ...recentlyViewed().filter((other) => other !== id)].slice(0, 20));
