// The shop: the routes and the header.

import { h, emptyPage } from '/assets/dom.js';
import { Problem } from '/assets/api.js';
import { t, initLanguageToggle } from '/assets/i18n.js';
import { onCartChange, itemCount } from '/assets/shop/cart.js';
import { home, results } from '/assets/shop/list.js';
import { productPage } from '/assets/shop/product.js';
import { cartPage } from '/assets/shop/checkout.js';
import { orderPage, ordersPage } from '/assets/shop/orders.js';
import { followScroll, leavePage, placeHere } from '/assets/shop/places.js';
import { rankingsPage } from '/assets/shop/rankings.js';
import { comparePage, favouritesPage } from '/assets/shop/saved-pages.js';
import { compared, onSavedChange } from '/assets/shop/saved.js';
import { searchBox } from '/assets/shop/search-box.js';

const main = document.getElementById('main');
let currentPage = new AbortController();
let shownPath;

const ROUTES = [
  [/^\/$/, () => home],
  [/^\/s$/, () => results],
  [/^\/p\/([^/]+)$/, (id) => (context) => productPage({ ...context, id })],
  [/^\/cart$/, () => cartPage],
  [/^\/favourites$/, () => favouritesPage],
  [/^\/compare$/, () => comparePage],
  [/^\/rankings$/, () => rankingsPage],
  [/^\/orders$/, () => ordersPage],
  [/^\/orders\/([^/]+)$/, (id) => (context) => orderPage({ ...context, id })],
];

/** The page of a path and its parameters; `undefined` if there is none, or if a parameter is not encoded correctly. */
function pageOf(path) {
  const [match, page] = ROUTES.map(([pattern, route]) => [pattern.exec(path), route]).find(([found]) => found) ?? [];
  try {
    return match && page(...match.slice(1).map(decodeURIComponent));
  } catch {
    return undefined;
  }
}

/** Shows the page of the current address and aborts the requests of the previous one. */
async function show({ focus = true } = {}) {
  leavePage();
  currentPage.abort();
  currentPage = new AbortController();
  const { signal } = currentPage;
  const [path, query = ''] = (location.hash.slice(1) || '/').split('?');
  const params = new URLSearchParams(query);
  const page = pageOf(path);
  const place = placeHere();
  document.title = t('brand');
  searchInput.show(path === '/s' ? params.get('q') ?? '' : '');
  const container = h('div', { class: 'page' });
  // Another choice of filters keeps the focus, which the page restores.
  const isSamePage = path === '/s' && shownPath === path;
  shownPath = path;
  main.replaceChildren(container);
  if (focus && isSamePage) {
    scrollTo(0, 0);
  } else if (focus) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  if (!page) {
    container.replaceChildren(emptyPage(t('error.absent'), t('error.absent.text'), browseLink()));
    return;
  }
  try {
    await page({ container, params, signal, place });
    if (!signal.aborted && place?.scroll) scrollTo(0, place.scroll);
  } catch (error) {
    if (signal.aborted) return;
    container.replaceChildren(errorPage(error, () => show()));
  }
}

const browseLink = () => h('a', { class: 'button', href: '#/' }, t('cart.browse'));

/** Shown instead of a page that cannot be loaded. Mistakes in an address are no outage. */
function errorPage(error, retry) {
  const problem = error instanceof Problem ? error : undefined;
  if ([403, 404, 410].includes(problem?.status)) return emptyPage(t('error.absent'), t('error.absent.text'), browseLink());
  if ([400, 422].includes(problem?.status)) return emptyPage(t('error.input'), problem.errors[0]?.message ?? problem.message, browseLink());
  if (!problem) console.error(error);
  const text = problem?.status === 0 ? t('error.offline') : problem?.status === 429 ? t('error.limited') : t('error.text');
  return emptyPage(t('error.title'), text,
    h('button', { class: 'button', type: 'button', onclick: retry }, t('error.again')),
    problem?.traceId && h('p', { class: 'small faint num' }, t('error.trace', { id: problem.traceId })));
}

function showCount() {
  const badge = document.getElementById('cart-count');
  badge.hidden = itemCount() === 0;
  badge.textContent = itemCount() > 99 ? '99+' : String(itemCount());
  badge.closest('a').setAttribute('aria-label', itemCount() === 0 ? t('cart') : `${t('cart')} ${itemCount()}`);
}

/** The way to the comparison, on every page but itself. */
function showCompared() {
  const link = document.getElementById('compared');
  const count = compared.ids().length;
  link.hidden = count === 0 || location.hash.startsWith('#/compare');
  link.textContent = t('compare.open', { n: count });
}

// The search form without its script leads here.
const asked = new URLSearchParams(location.search).get('q');
if (asked) history.replaceState(null, '', `/#/s?${new URLSearchParams({ q: asked })}`);

const searchInput = searchBox((address) => { location.hash = address; });
onCartChange(showCount);
onSavedChange(showCompared);
followScroll();
showCount();
showCompared();
initLanguageToggle(document.getElementById('lang'), () => { showCount(); showCompared(); show({ focus: false }); });
// The skip link must not change the route.
document.querySelector('.skip').addEventListener('click', (event) => { event.preventDefault(); main.focus(); });
addEventListener('hashchange', () => { showCompared(); show(); });
show({ focus: false });
