// The front page and the search results: cards, recommendations and facets.

import { h, emptyState, icon } from '/assets/dom.js';
import { decimals, formatCount, localized, formatPrice, t } from '/assets/i18n.js';
import { cardOf, personalRecommendations, recommendations, search } from '/assets/shop/catalog.js';
import { picture } from '/assets/shop/picture.js';
import { remember } from '/assets/shop/places.js';
import { track } from '/assets/shop/tracking.js';

const SORTS = ['relevance', 'popularity', 'price_asc', 'price_desc', 'newest'];

/** A product card. `from` names its list for the click event; `heading` is the element of its title. */
export function card(item, { from, reason, heading = 'h3' } = {}) {
  const out = item.in_stock === false;
  const range = item.price_max && minorUnits(item.price_max) > minorUnits(item.price_min);
  return h('li', { class: 'card' },
    h('a', { href: `#/p/${encodeURIComponent(item.product_id)}`, onclick: () => track('product_clicked', { product_id: item.product_id, list: from }) },
      h('div', { class: 'card-pic' }, picture({ seed: item.product_id, category: item.category, title: localized(item.title) }), out && h('span', { class: 'tag' }, t('card.out'))),
      h('div', { class: 'card-text' },
        item.brand && h('p', { class: 'card-brand' }, item.brand),
        h(heading, { class: 'card-title' }, item.highlight ? highlighted(item.highlight, item.title) : localized(item.title)),
        reason && h('p', { class: 'card-reason' }, reason),
        h('p', { class: 'card-price num' }, range ? t('card.from', { price: formatPrice(item.price_min) }) : formatPrice(item.price_min)))));
}

const minorUnits = (money) => (typeof money === 'object' && money !== null ? money.amount : money);

const ESCAPES = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'", '&#x27;': "'", '&amp;': '&' };

/**
 * Converts a highlight to text and `<mark>` elements. The service sends it escaped, with `<em>` around the matches. If the
 * highlight is in the other language, the plain title is shown.
 */
function highlighted(highlight, title) {
  const parts = localized(highlight).split(/<\/?em>/).map((part) => part.replace(/&(?:lt|gt|quot|amp|#39|#x27);/g, (escape) => ESCAPES[escape]));
  if (parts.join('') !== localized(title)) return localized(title);
  return parts.map((part, i) => (i % 2 ? h('mark', null, part) : part));
}

const placeholders = (n) => Array.from({ length: n }, () => h('li', { class: 'card loading', 'aria-hidden': 'true' }, h('div', { class: 'card-pic' }), h('div', { class: 'card-text' }, h('i'), h('i'))));

/** A row of recommendations, loaded in the background; removed if there are none. Without a `path` they are this shopper's own. */
export function recommendationRow({ title, subtitle, path, signal, without, limit = 12, withReasons = true, list }) {
  const row = h('ul', { class: 'carousel', tabindex: '0', 'aria-label': title }, placeholders(6));
  const section = h('section', { class: 'block', 'aria-busy': 'true' }, h('div', { class: 'block-head' }, h('h2', null, title), subtitle && h('p', { class: 'faint small' }, subtitle)), row);
  const options = { limit, signal, without };
  (path ? recommendations(path, options) : personalRecommendations(options)).then((items) => {
    if (items.length === 0) return section.remove();
    section.removeAttribute('aria-busy');
    row.replaceChildren(...items.map((item) => card(cardOf(item.product), { from: list, reason: withReasons && localized(item.reason?.text) })));
    track('list_viewed', { list, product_ids: items.map((item) => item.product_id) });
  }).catch(() => {
    if (signal.aborted) return;
    section.removeAttribute('aria-busy');
    row.replaceWith(h('p', { class: 'notice small' }, t('error.recommendations')));
  });
  return section;
}

/** The front page. */
export async function home({ container, signal, place }) {
  const hero = h('section', { class: 'hero' }, h('h1', null, t('tagline')), h('nav', { class: 'chips', 'aria-label': t('home.categories') }));
  const all = h('section', { class: 'block' }, h('div', { class: 'block-head' }, h('h2', null, t('home.all'))));
  const grid = h('ul', { class: 'grid' }, placeholders(8));
  all.append(grid);
  container.append(hero,
    recommendationRow({ title: t('home.trending'), subtitle: t('home.trending.note'), path: '/v1/trending', signal, withReasons: false, list: 'trending' }),
    recommendationRow({ title: t('home.for'), subtitle: t('home.for.note'), signal, list: 'for_you' }),
    all);
  let page;
  try {
    page = await search({}, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    // The recommendations come from another service, so they stay.
    hero.querySelector('nav').remove();
    const retry = h('button', { class: 'button', type: 'button', onclick: () => { container.replaceChildren(); home({ container, signal, place }); } }, t('error.again'));
    grid.replaceWith(emptyState(t('error.title'), t('error.text'), retry));
    return;
  }
  const topCategories = page.facets.find((facet) => facet.name === 'category')?.values ?? [];
  hero.querySelector('nav').append(...topCategories.slice(0, 12).map(({ value: name }) => h('a', { class: 'chip', href: `#/s?${new URLSearchParams({ category: name })}` }, name)));
  await fillGrid({ all, grid, page, query: {}, signal, list: 'home', pages: place?.pages });
}

/** Fills the grid with a page of results, up to `pages` of them, and adds a button for the next page. */
async function fillGrid({ all, grid, page, query, signal, list, heading, pages = 1 }) {
  grid.replaceChildren(...page.items.map((item) => card(item, { from: list, heading })));
  let next = page.next_cursor;
  let shown = 1;
  async function appendNext() {
    const following = await search({ ...query, cursor: next, facets: undefined }, signal);
    grid.append(...following.items.map((item) => card(item, { from: list, heading })));
    next = following.next_cursor;
    shown += 1;
    remember({ pages: shown });
  }
  try {
    while (next && shown < pages) await appendNext();
  } catch (error) {
    // The button below loads the rest.
    if (signal.aborted) throw error;
  }
  const more = h('button', { class: 'button more', type: 'button', hidden: !next }, t('list.more'));
  more.addEventListener('click', async () => {
    more.disabled = true;
    try {
      const firstNew = grid.children.length;
      await appendNext();
      grid.children[firstNew]?.querySelector('a').focus({ preventScroll: true });
      more.hidden = !next;
    } catch {
      // The button stays, so the user can retry.
    }
    more.disabled = false;
  });
  all.append(more);
  if (page.items.length) track('list_viewed', { list, product_ids: page.items.map((item) => item.product_id) });
}

/** The results of a search or of a category, with facets. */
export async function results({ container, params, signal, place }) {
  const query = Object.fromEntries([...params.keys()].map((name) => [name, params.getAll(name)]));
  const q = params.get('q') ?? '';
  const title = q ? t('list.for', { q }) : (params.get('category') ?? t('home.all'));
  document.title = `${title} · ${t('brand')}`;
  const grid = h('ul', { class: 'grid narrow' }, placeholders(9));
  const head = h('div', { class: 'list-head' }, h('h1', null, title), h('p', { class: 'faint small', role: 'status' }, t('list.loading')));
  const all = h('section', { class: 'list' }, head, grid);
  const aside = h('aside', { class: 'facets' });
  container.append(h('div', { class: 'columns' }, aside, all));

  const page = await search(query, signal);
  if (q) track('searched', { query: q, total: page.total, product_ids: page.items.slice(0, 24).map((item) => item.product_id) });
  const facts = [t('list.count', { n: formatCount(page.total ?? page.items.length) })];
  if (page.took_ms !== undefined) facts.push(t('list.took', { ms: formatCount(page.took_ms < 10 ? Math.round(page.took_ms * 10) / 10 : Math.round(page.took_ms)) }));
  head.querySelector('p').textContent = facts.join(' · ');
  head.append(sortSelect(params));
  if (page.did_you_mean) {
    const suggestion = localized(page.did_you_mean?.q ?? page.did_you_mean?.text ?? page.did_you_mean);
    head.after(h('p', { class: 'meant' }, t('list.meant'), ' ', h('a', { href: resultsUrl(params, { q: suggestion }) }, suggestion)));
  }
  aside.replaceChildren(filterPanel(page, params));
  if (page.items.length === 0) {
    const filtered = [...params.keys()].some((name) => !['q', 'sort'].includes(name));
    grid.replaceWith(emptyState(t('list.none'), t('list.none.text'), filtered && h('a', { class: 'button', href: `#/s?${new URLSearchParams(q ? { q } : {})}` }, t('list.clear'))));
    return;
  }
  await fillGrid({ all, grid, page, query, signal, list: q ? 'search' : 'category', heading: 'h2', pages: place?.pages });
}

/** The URL of the results with some parameters changed; `undefined` removes one. */
function resultsUrl(params, changes) {
  const next = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name);
    for (const one of [value].flat()) if (one) next.append(name, one);
  }
  return `#/s?${next}`;
}

function sortSelect(params) {
  const select = h('select', { class: 'input', 'aria-label': t('list.sort'), onchange: () => { location.hash = resultsUrl(params, { sort: select.value === 'relevance' ? undefined : select.value }); } },
    SORTS.map((sort) => h('option', { value: sort, selected: (params.get('sort') ?? 'relevance') === sort }, t(`sort.${sort}`))));
  return select;
}

function filterPanel({ facets, price_range: range, currency = 'CNY' }, params) {
  const chosen = ['category', 'brand', 'price_min', 'price_max', 'in_stock'].filter((name) => params.has(name)).length;
  const wide = matchMedia('(min-width: 56rem)');
  const details = h('details', { open: wide.matches },
    h('summary', { class: 'button' }, icon('M3 6h14M6 10h8M9 14h2'), t('list.filters'), chosen > 0 && h('b', { class: 'count' }, chosen)),
    h('div', { class: 'facet-list' },
      availability(params), categories(facets.find((facet) => facet.name === 'category')?.values ?? [], params), priceRange(params, range, currency),
      facets.filter((facet) => !['category', 'price'].includes(facet.name) && (facet.values.length > 0 || params.has(facet.name))).map((facet) => facetGroup(facet, params))));
  return details;
}

function availability(params) {
  const box = h('input', { type: 'checkbox', checked: params.get('in_stock') === 'true', onchange: () => { location.hash = resultsUrl(params, { in_stock: box.checked ? 'true' : undefined }); } });
  return h('label', { class: 'check' }, box, t('facet.in_stock'));
}

/** The user enters prices in major units; the API expects minor units. */
function priceRange(params, range, currency) {
  const digits = decimals(currency);
  const unit = 10 ** digits;
  const shown = (name) => (params.has(name) ? Number(params.get(name)) / unit : '');
  const field = (name, label, bound) => h('input', { class: 'input num', name, type: 'number', inputmode: 'decimal', min: '0', max: '10000000', step: (1 / unit).toFixed(digits), placeholder: bound === undefined ? t(label) : String(Math.round(bound / unit)), 'aria-label': `${t('facet.price')} ${t(label)}`, value: shown(name) });
  const low = field('price_min', 'facet.from', range?.min);
  const high = field('price_max', 'facet.to', range?.max);
  const minor = (input) => (input.value === '' ? undefined : String(Math.round(Number(input.value) * unit)));
  return h('fieldset', null, h('legend', null, t('facet.price')),
    h('form', { class: 'range', onsubmit: (event) => { event.preventDefault(); location.hash = resultsUrl(params, ordered(minor(low), minor(high))); } },
      low, h('span', { 'aria-hidden': 'true' }, '–'), high, h('button', { class: 'button', type: 'submit' }, t('facet.apply'))));
}

/** The price filter; a lowest price above the highest one is exchanged with it. */
function ordered(low, high) {
  const isReversed = low !== undefined && high !== undefined && Number(low) > Number(high);
  return isReversed ? { price_min: high, price_max: low } : { price_min: low, price_max: high };
}

const VISIBLE_FACET_VALUES = 8;

function facetGroup({ name, values }, params) {
  const selected = params.getAll(name);
  const options = [...values, ...selected.filter((value) => !values.some((one) => one.value === value)).map((value) => ({ value, count: 0 }))];
  const items = options.map(({ value, count: n }, i) => {
    const on = selected.includes(value);
    const next = on ? selected.filter((other) => other !== value) : [...selected, value];
    return h('li', { hidden: i >= VISIBLE_FACET_VALUES && !on }, facetLink(value, n, resultsUrl(params, { [name]: next }), on));
  });
  const rest = h('button', { class: 'button quiet small', type: 'button', onclick: () => { items.forEach((item) => { item.hidden = false; }); rest.remove(); } }, t('facet.all', { n: options.length }));
  const label = name.startsWith('attr.') ? name.slice(5) : t(`facet.${name}`);
  return h('fieldset', null, h('legend', null, label), h('ul', null, items), options.length > VISIBLE_FACET_VALUES && rest);
}

const facetLink = (text, n, href, on) => h('a', { href, 'aria-current': on ? 'true' : undefined }, h('span', null, text), n > 0 && h('span', { class: 'faint num' }, formatCount(n)));

/** The ancestors of the selected category, the category itself, and its children. */
function categories(values, params) {
  const chosen = params.get('category');
  const steps = chosen ? chosen.split('/') : [];
  const ancestors = steps.map((step, i) => h('li', { class: `depth-${Math.min(i, 2)}` }, facetLink(step, 0, resultsUrl(params, { category: steps.slice(0, i + 1).join('/') }), i === steps.length - 1)));
  const children = values.map(({ value, count: n }) => h('li', { class: `depth-${Math.min(steps.length, 2)}` }, facetLink(value.split('/').pop(), n, resultsUrl(params, { category: value }))));
  if (ancestors.length + children.length === 0) return undefined;
  return h('fieldset', null, h('legend', null, t('facet.category')), h('ul', null, chosen && h('li', null, facetLink(t('facet.everything'), 0, resultsUrl(params, { category: undefined }))), ancestors, children));
}
