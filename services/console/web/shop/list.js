// The front page and the search results: cards and recommendations.

import { h, emptyState } from '/assets/dom.js';
import { formatCount, localized, formatPrice, t } from '/assets/i18n.js';
import {
  cardOf, personalRecommendations, product, recentlyViewed, recommendations, search,
} from '/assets/shop/catalog.js';
import {
  chosenChips, filterPanel, isFiltered, restoreFocus, resultsUrl, wantedFacets,
} from '/assets/shop/filters.js';
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
  (path ? recommendations(path, options) : ownRecommendations(options)).then((items) => {
    if (items.length === 0) return section.remove();
    section.removeAttribute('aria-busy');
    row.replaceChildren(...items.map((item) => {
      const place = h('span', null, withReasons && localized(item.reason?.text));
      if (withReasons && !path) explain(place, item.reason);
      return card(cardOf(item.product), { from: list, reason: withReasons && place });
    }));
    track('list_viewed', { list, product_ids: items.map((item) => item.product_id) });
  }).catch(() => {
    if (signal.aborted) return;
    section.removeAttribute('aria-busy');
    row.replaceWith(h('p', { class: 'notice small' }, t('error.recommendations')));
  });
  return section;
}

/** The recommendations that come from what this shopper did. The others are those of the row of trending products. */
const ownRecommendations = async (options) => (await personalRecommendations(options)).filter((item) => item.reason?.code !== 'trending');

/** Names the product that led to a recommendation, as soon as it is known. */
async function explain(place, reason) {
  const [cause] = reason?.because ?? [];
  const found = cause && await product(cause).catch(() => undefined);
  if (found) place.textContent = t('reason.because', { title: localized(found.title) });
}

/** The products that were viewed last in this browser; removed if there are none. */
export function recentRow({ signal, without }) {
  const ids = recentlyViewed().filter((id) => id !== without).slice(0, 12);
  if (ids.length === 0) return undefined;
  const row = h('ul', { class: 'carousel', tabindex: '0', 'aria-label': t('home.recent') }, placeholders(Math.min(6, ids.length)));
  const section = h('section', { class: 'block' }, h('div', { class: 'block-head' }, h('h2', null, t('home.recent'))), row);
  Promise.allSettled(ids.map((id) => product(id))).then((found) => {
    if (signal.aborted) return;
    const known = found.map(({ value }) => value).filter((one) => one?.status === 'active');
    if (known.length === 0) section.remove();
    else row.replaceChildren(...known.map((one) => card(cardOf(one), { from: 'recent' })));
  });
  return section;
}

/** The front page. */
export async function home({ container, signal, place }) {
  const hero = h('section', { class: 'hero' }, h('h1', null, t('tagline')), h('nav', { class: 'chips', 'aria-label': t('home.categories') }));
  const all = h('section', { class: 'block' }, h('div', { class: 'block-head' }, h('h2', null, t('home.all'))));
  const grid = h('ul', { class: 'grid' }, placeholders(8));
  all.append(grid);
  const rows = [
    hero,
    recommendationRow({ title: t('home.trending'), subtitle: t('home.trending.note'), path: '/v1/trending', signal, withReasons: false, list: 'trending' }),
    recommendationRow({ title: t('home.for'), subtitle: t('home.for.note'), signal, list: 'for_you' }),
    recentRow({ signal }),
    all,
  ];
  container.append(...rows.filter(Boolean));
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
  hero.querySelector('nav').append(h('a', { class: 'chip strong', href: '#/rankings' }, t('rankings')), ...topCategories.slice(0, 12).map(({ value: name }) => h('a', { class: 'chip', href: `#/s?${new URLSearchParams({ category: name })}` }, name)));
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
  const aside = h('aside', { class: 'facets', 'aria-label': t('list.filters') });
  container.append(h('div', { class: 'columns' }, aside, all));

  const page = await search({ ...query, facets: wantedFacets(params) }, signal);
  if (q) track('searched', { query: q, total: page.total, product_ids: page.items.slice(0, 24).map((item) => item.product_id) });
  const facts = [t('list.count', { n: formatCount(page.total ?? page.items.length) })];
  if (page.took_ms !== undefined) facts.push(t('list.took', { ms: formatCount(page.took_ms < 10 ? Math.round(page.took_ms * 10) / 10 : Math.round(page.took_ms)) }));
  head.querySelector('p').textContent = facts.join(' · ');
  head.append(sortSelect(params));
  if (page.did_you_mean) {
    const suggestion = localized(page.did_you_mean?.q ?? page.did_you_mean?.text ?? page.did_you_mean);
    head.after(h('p', { class: 'meant' }, t('list.meant'), ' ', h('a', { href: resultsUrl(params, { q: suggestion }) }, suggestion)));
  }
  const panel = filterPanel(page, params);
  aside.replaceChildren(panel);
  const chips = chosenChips(params, page.currency);
  if (chips) grid.before(chips);
  restoreFocus(panel);
  if (page.items.length === 0) {
    const all = h('a', { class: 'button', href: `#/s?${new URLSearchParams(q ? { q } : {})}` }, t('list.clear'));
    grid.replaceWith(emptyState(t('list.none'), t('list.none.text'), isFiltered(params) && all));
    container.append(recommendationRow({ title: t('home.trending'), path: '/v1/trending', signal, withReasons: false, list: 'trending' }));
    return;
  }
  await fillGrid({ all, grid, page, query, signal, list: q ? 'search' : 'category', heading: 'h2', pages: place?.pages });
}

function sortSelect(params) {
  const choose = () => {
    location.hash = resultsUrl(params, { sort: select.value === 'relevance' ? undefined : select.value });
  };
  const select = h('select', { class: 'input', 'aria-label': t('list.sort'), onchange: choose },
    SORTS.map((sort) => h('option', { value: sort, selected: (params.get('sort') ?? 'relevance') === sort }, t(`sort.${sort}`))));
  return select;
}
