// The merchant's page: sign-in with a token, and the routes.

import '/assets/merchant/texts.js';
import { h, emptyPage } from '/assets/dom.js';
import { Problem } from '/assets/api.js';
import { initLanguageToggle, t } from '/assets/i18n.js';
import { importPage } from '/assets/merchant/imports.js';
import { ordersPage } from '/assets/merchant/orders.js';
import { productsPage } from '/assets/merchant/products.js';
import { SCOPES, explanation, isSignedIn, signIn, signOut, whenSignedOut } from '/assets/merchant/staff.js';

const PAGES = { '/products': productsPage, '/import': importPage, '/orders': ordersPage };

const main = document.getElementById('main');
let currentPage = new AbortController();

/** Shows the page of the current address. */
async function show({ focus = true } = {}) {
  currentPage.abort();
  currentPage = new AbortController();
  const { signal } = currentPage;
  const [path, query = ''] = (location.hash.slice(1) || '/products').split('?');
  const page = PAGES[path];
  document.title = `${t('merchant.title')} · ${t('brand')}`;
  document.getElementById('tabs').hidden = !isSignedIn();
  document.getElementById('sign-out').hidden = !isSignedIn();
  for (const tab of document.querySelectorAll('.tab')) {
    if (tab.getAttribute('href') === `#${path}`) tab.setAttribute('aria-current', 'page');
    else tab.removeAttribute('aria-current');
  }
  const container = h('div', { class: 'page' });
  main.replaceChildren(container);
  if (focus) main.focus({ preventScroll: true });
  if (!isSignedIn()) {
    container.append(signInForm());
    return;
  }
  if (!page) {
    container.append(emptyPage(t('error.absent'), t('error.absent.text'), h('a', { class: 'button', href: '#/products' }, t('merchant.products'))));
    return;
  }
  try {
    await page({ container, params: new URLSearchParams(query), signal });
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) console.error(error);
    const text = error instanceof Problem ? explanation(error) : t('error.text');
    container.replaceChildren(emptyPage(t('error.title'), text, h('button', { class: 'button', type: 'button', onclick: () => show() }, t('error.again'))));
  }
}

function signInForm(reason) {
  const input = h('input', { class: 'input', type: 'password', autocomplete: 'off', spellcheck: 'false', required: true, maxlength: '4096' });
  const submit = (event) => {
    event.preventDefault();
    // A token pasted from a terminal may have a `Bearer` prefix, quotes or line breaks.
    signIn(input.value.trim().replace(/^Bearer\s+/i, '').replace(/["'\s]/g, ''));
    show();
  };
  return h('section', { class: 'sign-in' }, h('h1', null, t('ops.sign_in')), h('p', { class: 'soft' }, t('merchant.sign_in.text')), h('p', { class: 'soft' }, t('ops.sign_in.how')),
    h('pre', { tabindex: '0', role: 'region', 'aria-label': t('ops.token') }, h('code', null, `cargo xtask token ${SCOPES}`), h('code', null, `docker compose exec -T console token ${SCOPES}`)),
    h('form', { onsubmit: submit }, h('label', { class: 'field' }, h('span', null, t('ops.token')), input), h('button', { class: 'button main', type: 'submit' }, t('ops.sign_in.submit'))),
    reason && h('p', { class: 'notice bad', role: 'alert' }, t(reason)), h('p', { class: 'small faint' }, t('ops.sign_in.kept')));
}

whenSignedOut((reason) => {
  show();
  main.replaceChildren(h('div', { class: 'page' }, signInForm(reason)));
});
document.getElementById('sign-out').addEventListener('click', () => signOut());
initLanguageToggle(document.getElementById('lang'), () => show({ focus: false }));
document.querySelector('.skip').addEventListener('click', (event) => { event.preventDefault(); main.focus(); });
addEventListener('hashchange', () => show());
show({ focus: false });
