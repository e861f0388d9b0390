// The rankings: what sells best today, of all products and of each top category.

import { h, emptyState } from '/assets/dom.js';
import { t } from '/assets/i18n.js';
import { cardOf, recommendations, search } from '/assets/shop/catalog.js';
import { card } from '/assets/shop/list.js';
import { track } from '/assets/shop/tracking.js';

const LENGTH = 20;

/** The ranking of a category, `?category=`, or of all products. */
export async function rankingsPage({ container, params, signal }) {
  const chosen = params.get('category') ?? '';
  document.title = `${t('rankings')} · ${t('brand')}`;
  const tabs = h('nav', { class: 'chips', 'aria-label': t('home.categories') });
  const list = h('ol', { class: 'grid ranking' });
  container.replaceChildren(
    h('div', { class: 'list-head' }, h('h1', null, t('rankings')), h('p', { class: 'faint small' }, t('rankings.note'))),
    tabs, list);
  const [categories, ranked] = await Promise.all([topCategories(signal), ranking(chosen, signal)]);
  if (signal.aborted) return;
  tabs.append(...['', ...categories].map((name) => h('a', {
    class: 'chip', 'aria-current': name === chosen ? 'page' : undefined,
    href: name ? `#/rankings?${new URLSearchParams({ category: name })}` : '#/rankings',
  }, name || t('facet.everything'))));
  if (ranked.length === 0) {
    list.replaceWith(emptyState(t('rankings.none'), t('rankings.none.text')));
    return;
  }
  list.append(...ranked.map((item) => card(cardOf(item.product), { from: 'ranking', heading: 'h2' })));
  track('list_viewed', { list: 'ranking', product_ids: ranked.map((item) => item.product_id) });
}

/** The top categories. Without the search there are none, and the ranking is still shown. */
async function topCategories(signal) {
  const page = await search({ limit: 0, facets: 'category' }, signal).catch(() => undefined);
  const values = page?.facets.find((facet) => facet.name === 'category')?.values ?? [];
  return values.slice(0, 12).map(({ value }) => value);
}

const ranking = (category, signal) => recommendations(
  `/v1/trending?${new URLSearchParams({ window: 'day', ...(category && { category }) })}`,
  { limit: LENGTH, signal });
