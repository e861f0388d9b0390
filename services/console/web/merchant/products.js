// The products: a list with search, filters and bulk changes; each row opens an editor.

import { h, emptyState, toast } from '/assets/dom.js';
import { formatCount, localized, t } from '/assets/i18n.js';
import { editor } from '/assets/merchant/product-editor.js';
import { callAsStaff, explanation, read } from '/assets/merchant/staff.js';
import { frame, moreButton, openingRow } from '/assets/merchant/table.js';
import { cardOf, priceText } from '/assets/shop/catalog.js';
import { picture } from '/assets/shop/picture.js';

const PAGE = 25;
export const STATUSES = ['active', 'draft', 'archived'];

export async function productsPage({ container, params, signal }) {
  const selected = new Map();
  const body = h('tbody', null);
  const shown = h('p', { class: 'small faint', role: 'status' });
  const more = moreButton(load);
  const bulk = bulkBar(selected, () => productsPage({ container, params, signal }));
  const all = h('input', {
    type: 'checkbox', 'aria-label': t('merchant.select_all'),
    onchange: () => body.querySelectorAll('.pick').forEach((box) => {
      if (box.checked !== all.checked) box.click();
    }),
  });
  const heads = ['merchant.field.title', 'merchant.field.category', 'merchant.field.price', 'merchant.field.status'];
  const table = frame(t('merchant.products'),
    h('table', { class: 'list' }, h('thead', null, h('tr', null, h('td', null, all),
      heads.map((key) => h('th', { scope: 'col', class: key === 'merchant.field.category' && 'wide' }, t(key))), h('td', null))), body));
  container.replaceChildren(h('h1', null, t('merchant.products')), filters(params), bulk.node, table, more, shown);

  let cursor;
  async function load() {
    const page = await find(params, cursor, signal);
    cursor = page.next;
    body.append(...page.items.map((found) => row(found, { selected, changed: bulk.draw, signal })).flat());
    more.hidden = !cursor;
    shown.textContent = t('merchant.shown', { n: formatCount(body.querySelectorAll('.row').length) });
    if (body.children.length === 0) table.replaceWith(emptyState(t('merchant.none'), t('merchant.none.text')));
  }
  await load();
}

/** One page of products. A text is searched for, or is the SKU of a product; otherwise they are listed. */
async function find(params, cursor, signal) {
  const [q, status] = [params.get('q'), params.get('status')];
  if (!q) {
    const page = await read('product-catalog/v1/products', { query: { status, limit: PAGE, cursor }, signal });
    return { items: page.items, next: page.next_cursor };
  }
  if (/^[\w\-./+#]{1,64}$/.test(q) && !cursor) {
    const { items } = await read('product-catalog/v1/products', { query: { sku: q }, signal });
    if (items.length > 0) return { items };
  }
  const hits = await read('search-sync/v1/search', { query: { q, limit: PAGE, cursor }, signal });
  const get = ({ product_id: id }) => read(`product-catalog/v1/products/${id}`, { signal });
  const found = await Promise.allSettled(hits.items.map(get));
  const items = found.map(({ value }) => value).filter((one) => one && (!status || one.status === status));
  return { items, next: hits.next_cursor };
}

function filters(params) {
  const q = h('input', {
    class: 'input', type: 'search', name: 'q', maxlength: '200', value: params.get('q') ?? '',
    placeholder: t('merchant.search'), 'aria-label': t('merchant.search'),
  });
  const status = h('select', { class: 'input', name: 'status', 'aria-label': t('merchant.field.status'), onchange: () => form.requestSubmit() },
    ['', ...STATUSES].map((name) => h('option', { value: name, selected: (params.get('status') ?? '') === name },
      t(`merchant.status.${name || 'all'}`))));
  const form = h('form', {
    class: 'filters', role: 'search',
    onsubmit: (event) => {
      event.preventDefault();
      const next = Object.entries({ q: q.value.trim(), status: status.value }).filter(([, value]) => value);
      location.hash = `#/products?${new URLSearchParams(next)}`;
    },
  }, q, status);
  return form;
}

/** The row of a product, and the row that holds its editor while that is open. */
function row(first, { selected, changed, signal }) {
  let current = first;
  const { cells, place, below, toggle } = openingRow(6, 'merchant.edit', () => {
    place.append(editor(current, { signal, saved: (product) => { current = product; draw(); } }));
  });
  const pick = h('input', {
    class: 'pick', type: 'checkbox', 'aria-label': t('merchant.select', { title: localized(first.title) }),
    onchange: () => {
      if (pick.checked) selected.set(first.id, () => current);
      else selected.delete(first.id);
      changed();
    },
  });
  function draw() {
    const { title, brand, category, status, variants } = current;
    const drawing = h('div', { class: 'thumb' }, picture({ seed: current.id, category, title: localized(title) }));
    cells.replaceChildren(h('td', null, pick),
      h('td', null, h('div', { class: 'what' }, drawing, h('div', null, h('b', null, localized(title)),
        h('p', { class: 'small faint' }, [brand, t('merchant.variants', { n: variants.length })].filter(Boolean).join(' · '))))),
      h('td', { class: 'small soft wide' }, category), h('td', { class: 'num' }, priceText(cardOf(current)) || '–'),
      h('td', null, h('span', { class: 'status', 'data-status': status }, t(`merchant.status.${status}`))),
      h('td', null, toggle));
  }
  draw();
  return [cells, below];
}

/** What can be done with all selected products. `selected` has a function per id that returns the product as it is now. */
function bulkBar(selected, reload) {
  const count = h('b', { role: 'status' });
  const status = h('select', { class: 'input', 'aria-label': t('merchant.field.status') },
    h('option', { value: '' }, t('merchant.field.status')),
    STATUSES.map((name) => h('option', { value: name }, t(`merchant.status.${name}`))));
  const percent = h('input', { class: 'input num', type: 'number', min: '-90', max: '900', step: 'any', placeholder: t('merchant.bulk.price'), 'aria-label': t('merchant.bulk.price') });
  const apply = h('button', { class: 'button main', type: 'submit' }, t('merchant.bulk.apply'));
  const node = h('form', { class: 'bulk', hidden: true, onsubmit: run }, count, status, percent, apply);

  async function run(event) {
    event.preventDefault();
    if (!status.value && !percent.value) return;
    if (!percent.validity.valid) {
      toast(t('merchant.bulk.percent'));
      return;
    }
    apply.disabled = true;
    const failed = [];
    // One after the other: the requests of a person are bounded.
    for (const product of [...selected.values()].map((now) => now())) {
      await change(product, status.value, Number(percent.value)).catch((error) => failed.push(error));
    }
    toast([t('merchant.bulk.done', { n: selected.size - failed.length, failed: failed.length }),
      failed[0] && explanation(failed[0])].filter(Boolean).join('\n'));
    reload();
  }

  return {
    node,
    draw() {
      node.hidden = selected.size === 0;
      count.textContent = t('merchant.selected', { n: formatCount(selected.size) });
    },
  };
}

async function change({ id, version, variants }, status, percent) {
  const scaled = (price) => ({ ...price, amount: Math.max(0, Math.round(price.amount * (1 + percent / 100))) });
  const body = {
    ...(status && { status }),
    ...(percent && { variants: variants.map(({ current_price: _, ...variant }) => ({ ...variant, price: scaled(variant.price) })) }),
  };
  await callAsStaff(`product-catalog/v1/products/${id}`, { method: 'PATCH', body, headers: { 'if-match': `"${version}"` } });
}
