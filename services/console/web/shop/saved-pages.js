// The pages of the saved products: favourites, and a comparison as a table.

import { h, emptyPage } from '/assets/dom.js';
import { localized, t } from '/assets/i18n.js';
import { cardOf, priceText, product } from '/assets/shop/catalog.js';
import { card } from '/assets/shop/list.js';
import { picture } from '/assets/shop/picture.js';
import { compared, favourites } from '/assets/shop/saved.js';

/** The products of these ids that exist. An outage of the catalogue is an error, if it concerns all of them. */
async function productsOf(ids, signal) {
  const found = await Promise.allSettled(ids.map((id) => product(id, { signal })));
  const failed = found.filter(({ status }) => status === 'rejected');
  if (failed.length > 0 && failed.every(({ reason }) => ![404, 410, 422].includes(reason.status))
    && failed.length === found.length) throw failed[0].reason;
  return found.map(({ value }) => value).filter(Boolean);
}

const browse = () => h('a', { class: 'button', href: '#/' }, t('cart.browse'));

export async function favouritesPage({ container, signal }) {
  document.title = `${t('favourites')} · ${t('brand')}`;
  const found = await productsOf(favourites.ids(), signal);
  if (signal.aborted) return;
  if (found.length === 0) {
    container.replaceChildren(emptyPage(t('favourite.none'), t('favourite.none.text'), browse()));
    return;
  }
  container.replaceChildren(h('h1', null, t('favourites')),
    h('ul', { class: 'grid' }, found.map((one) => card(cardOf(one), { from: 'favourites', heading: 'h2' }))));
}

export async function comparePage({ container, signal }) {
  document.title = `${t('compare')} · ${t('brand')}`;
  const found = await productsOf(compared.ids(), signal);
  if (signal.aborted) return;
  if (found.length === 0) {
    container.replaceChildren(emptyPage(t('compare.none'), t('compare.none.text'), browse()));
    return;
  }
  const remove = (id) => {
    compared.toggle(id);
    comparePage({ container, signal });
  };
  container.replaceChildren(h('h1', null, t('compare')),
    h('div', { class: 'compare', tabindex: '0', role: 'region', 'aria-label': t('compare') },
      comparison(found, remove)));
}

function comparison(products, remove) {
  const head = products.map((one) => h('th', { scope: 'col' },
    h('a', { href: `#/p/${encodeURIComponent(one.id)}` },
      h('div', { class: 'card-pic' }, picture({ seed: one.id, category: one.category, title: localized(one.title) })),
      h('span', null, localized(one.title))),
    h('button', { class: 'button quiet small', type: 'button', onclick: () => remove(one.id) }, t('cart.remove'))));
  const rows = [
    [t('facet.price'), products.map((one) => priceText(cardOf(one)))],
    [t('facet.brand'), products.map((one) => one.brand ?? '')],
    [t('facet.category'), products.map((one) => one.category?.split('/').pop() ?? '')],
    ...optionNames(products).map((name) => [name, products.map((one) => optionText(one, name))]),
    ...attributeNames(products).map((name) => [name, products.map((one) => attributeText(one, name))]),
  ];
  const isDifferent = (values) => new Set(values).size > 1;
  return h('table', null,
    h('thead', null, h('tr', null, h('td', null), head)),
    h('tbody', null, rows.map(([name, values]) => h('tr', { class: isDifferent(values) ? 'differs' : undefined },
      h('th', { scope: 'row' }, name), values.map((value) => h('td', null, value || '—'))))));
}

const optionNames = (products) => [...new Set(products.flatMap((one) => one.variants.flatMap((variant) => Object.keys(variant.options ?? {}))))];

const optionText = (one, name) => [...new Set(one.variants.map((variant) => variant.options?.[name]).filter(Boolean))].join('、');

/** The names of all attributes: those that most of the products have come first. */
function attributeNames(products) {
  const names = [...new Set(products.flatMap((one) => Object.keys(one.attributes ?? {})))];
  const count = (name) => products.filter((one) => one.attributes?.[name] !== undefined).length;
  return names.sort((a, b) => count(b) - count(a));
}

const attributeText = (one, name) => [one.attributes?.[name] ?? []].flat().map((value) => localized(value)).join('、');
