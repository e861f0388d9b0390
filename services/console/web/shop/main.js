// The shop: which view stands behind which address, and what the header does.

import { h, empty } from '/assets/dom.js';
import { Problem } from '/assets/api.js';
import { t, toggler } from '/assets/words.js';
import { onCartChange, pieces } from '/assets/shop/cart.js';
import { home, results } from '/assets/shop/list.js';
import { productPage } from '/assets/shop/product.js';
import { cartPage } from '/assets/shop/checkout.js';
import { orderPage, ordersPage } from '/assets/shop/orders.js';
import { searchBox } from '/assets/shop/searchbox.js';

const main = document.getElementById('main');
let leave = new AbortController();

const ROUTES = [
  [/^\/$/, () => home],
  [/^\/s$/, () => results],
  [/^\/p\/([^/]+)$/, (id) => (context) => productPage({ ...context, id })],
  [/^\/cart$/, () => cartPage],
  [/^\/orders$/, () => ordersPage],
  [/^\/orders\/([^/]+)$/, (id) => (context) => orderPage({ ...context, id })],
];

/** Shows the view of the address; what the last one was still doing is called off. */
async function show({ focus = true } = {}) {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const [path, query = ''] = (location.hash.slice(1) || '/').split('?');
  const params = new URLSearchParams(query);
  const found = ROUTES.map(([pattern, view]) => [pattern.exec(path), view]).find(([match]) => match);
  document.title = t('brand');
  box.show(path === '/s' ? params.get('q') ?? '' : '');
  const stage = h('div', { class: 'stage' });
  main.replaceChildren(stage);
  if (focus) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  if (!found) {
    stage.replaceChildren(empty(t('list.none'), undefined, h('a', { class: 'button', href: '#/' }, t('cart.browse'))));
    return;
  }
  const [match, view] = found;
  try {
    await view(...match.slice(1).map(decodeURIComponent))({ stage, params, signal });
  } catch (error) {
    if (signal.aborted) return;
    stage.replaceChildren(failure(error, () => show()));
  }
}

/** What stands where a view could not be shown. */
function failure(error, again) {
  const problem = error instanceof Problem ? error : undefined;
  if (!problem) console.error(error);
  const text = problem?.status === 0 ? t('error.offline') : problem?.status === 429 ? t('error.limited') : t('error.text');
  return empty(t('error.title'), text,
    h('button', { class: 'button', type: 'button', onclick: again }, t('error.again')),
    problem?.traceId && h('p', { class: 'small faint num' }, t('error.trace', { id: problem.traceId })));
}

function showCount() {
  const badge = document.getElementById('cart-count');
  badge.hidden = pieces() === 0;
  badge.textContent = pieces() > 99 ? '99+' : String(pieces());
}

const box = searchBox((address) => { location.hash = address; });
onCartChange(showCount);
showCount();
toggler(document.getElementById('lang'), () => show({ focus: false }));
// The skip link must not be taken for a route.
document.querySelector('.skip').addEventListener('click', (event) => { event.preventDefault(); main.focus(); });
addEventListener('hashchange', () => show());
show({ focus: false });
