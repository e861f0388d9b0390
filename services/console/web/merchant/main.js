// The merchant's page: the sign-in, and the routes.

import '/assets/merchant/texts.js';
import { h, emptyPage } from '/assets/dom.js';
import { Problem } from '/assets/api.js';
import { initLanguageToggle, t } from '/assets/i18n.js';
import { importPage } from '/assets/merchant/imports.js';
import { ordersPage } from '/assets/merchant/orders.js';
import { productsPage } from '/assets/merchant/products.js';
import { explanation, isSignedIn, restore, signInForm, signOut, whenSignedOut } from '/assets/merchant/staff.js';

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
    container.append(signInForm(show));
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

whenSignedOut((reason) => {
  show();
  main.replaceChildren(h('div', { class: 'page' }, signInForm(show, reason)));
});
document.getElementById('sign-out').addEventListener('click', () => signOut());
initLanguageToggle(document.getElementById('lang'), () => show({ focus: false }));
document.querySelector('.skip').addEventListener('click', (event) => { event.preventDefault(); main.focus(); });
addEventListener('hashchange', () => show());
await restore();
show({ focus: false });
