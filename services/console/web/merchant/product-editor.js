// The editor of one product: its texts, the prices and the stock of its variants.

import { h, toast } from '/assets/dom.js';
import { Problem } from '/assets/api.js';
import { decimals, formatCount, t } from '/assets/i18n.js';
import { STATUSES } from '/assets/merchant/products.js';
import { ribbon } from '/assets/merchant/ribbon.js';
import { callAsStaff, explanation, read, requestAsStaff } from '/assets/merchant/staff.js';
import { frame } from '/assets/merchant/table.js';

/** The fields of a product: how each is read, and written into a patch. */
const FIELDS = [
  { name: 'zh', get: (one) => one.title.zh ?? '', put: (patch, value) => { (patch.title ??= {}).zh = value || null; } },
  { name: 'en', get: (one) => one.title.en ?? '', put: (patch, value) => { (patch.title ??= {}).en = value || null; } },
  { name: 'brand', get: (one) => one.brand ?? '', put: (patch, value) => { patch.brand = value || null; } },
  { name: 'category', get: (one) => one.category, put: (patch, value) => { patch.category = value; } },
  { name: 'status', get: (one) => one.status, put: (patch, value) => { patch.status = value; } },
  { name: 'description', get: (one) => one.description.zh ?? '', put: (patch, value) => { (patch.description ??= {}).zh = value || null; } },
];

/** An editor of `product`. `saved` gets the product as it was saved. */
export function editor(product, { signal, saved }) {
  let base = product;
  const inputs = FIELDS.map((field) => ({ ...field, input: inputOf(field, product), conflict: h('p', { class: 'small conflict' }) }));
  const variants = product.variants.map((variant) => variantRow(variant, signal));
  const message = h('p', { class: 'notice warn', role: 'alert', hidden: true });
  const progress = h('div', null);
  const save = h('button', { class: 'button main', type: 'submit' }, t('merchant.save'));

  /** What the person changed, as a merge patch. Only that is sent, so other edits of the same time stay. */
  function patch() {
    const changes = {};
    for (const { input, get, put } of inputs) if (input.value.trim() !== get(base)) put(changes, input.value.trim());
    if (variants.some((one) => one.isChanged())) {
      const known = new Map(variants.map((one) => [one.sku, one]));
      changes.variants = base.variants.map(({ current_price: _, ...variant }) => known.get(variant.sku)?.applyTo(variant) ?? variant);
    }
    return changes;
  }

  function show(text) {
    message.hidden = !text;
    message.textContent = text ?? '';
  }

  async function submit(event) {
    event.preventDefault();
    show();
    const body = patch();
    if (Object.keys(body).length === 0) {
      toast(t('merchant.unchanged'));
      return;
    }
    save.disabled = true;
    save.textContent = t('merchant.saving');
    try {
      const answer = await requestAsStaff(`product-catalog/v1/products/${product.id}`, { method: 'PATCH', body, headers: { 'if-match': `"${base.version}"` } });
      adopt(answer.body);
      toast(t('merchant.saved'));
      progress.replaceChildren(ribbon(answer.headers.get('change-id'), signal));
      saved(answer.body);
    } catch (error) {
      if (error instanceof Problem && error.status === 412) await merge();
      else show(explanation(error));
    }
    save.disabled = false;
    save.textContent = t('merchant.save');
  }

  /** The saved product is what later changes are compared with. */
  function adopt(next) {
    base = next;
    for (const { input, get, conflict } of inputs) {
      input.value = get(next);
      conflict.replaceChildren();
    }
    for (const one of variants) one.adopt(next.variants.find(({ sku }) => sku === one.sku));
  }

  /** Takes over what another person changed, and shows where both changed the same. */
  async function merge() {
    const theirs = await read(`product-catalog/v1/products/${product.id}`, { signal });
    for (const { input, get, conflict } of inputs) {
      const [before, now] = [get(base), get(theirs)];
      conflict.replaceChildren();
      if (now === before) continue;
      if (input.value.trim() === before) {
        input.value = now;
      } else if (input.value.trim() !== now) {
        const take = () => {
          input.value = now;
          conflict.replaceChildren();
        };
        conflict.replaceChildren(t('merchant.conflict.theirs', { value: now }), ' ',
          h('button', { class: 'button quiet small', type: 'button', onclick: take }, t('merchant.conflict.take')));
      }
    }
    for (const one of variants) one.merge(theirs.variants.find(({ sku }) => sku === one.sku));
    base = theirs;
    show(t('merchant.conflict', { version: theirs.version }));
  }

  return h('form', { class: 'editor', onsubmit: submit },
    h('div', { class: 'editor-fields' }, inputs.map(({ name, input, conflict }) =>
      h('div', { class: `f-${name}` }, h('label', { class: 'field' }, h('span', null, t(`merchant.field.${name}`)), input), conflict))),
    frame(t('merchant.variants', { n: variants.length }),
      h('table', { class: 'variants' }, h('thead', null, h('tr', null,
        ['sku', 'options', 'price', 'compare', 'on_hand', 'reserved'].map((name) => h('th', { scope: 'col' }, t(`merchant.field.${name}`))), h('td', null))),
      h('tbody', null, variants.map((one) => one.node)))),
    message, h('div', { class: 'editor-foot' }, save, progress));
}

function inputOf({ name, get }, product) {
  if (name === 'status') {
    return h('select', { class: 'input' }, STATUSES.map((status) => h('option', { value: status, selected: product.status === status }, t(`merchant.status.${status}`))));
  }
  if (name === 'description') {
    const area = h('textarea', { class: 'input', rows: '3', maxlength: '20000' });
    area.value = get(product);
    return area;
  }
  return h('input', { class: 'input', value: get(product), maxlength: '500', required: name === 'category' });
}

/** The row of a variant. Its prices are saved with the product; its stock belongs to another service and is saved by itself. */
function variantRow(first, signal) {
  let variant = first;
  const { currency } = first.price;
  const unit = 10 ** decimals(currency);
  const shown = (money) => (money ? String(money.amount / unit) : '');
  const money = (input) => (input.value === '' ? undefined : { amount: Math.round(Number(input.value) * unit), currency });
  const field = (label, value) => h('input', { class: 'input num', type: 'number', min: '0', step: String(1 / unit), value, 'aria-label': `${first.sku} ${t(label)}` });
  const price = field('merchant.field.price', shown(first.price));
  price.required = true;
  const compare = field('merchant.field.compare', shown(first.compare_at_price));
  const stock = stockCells(first.sku, signal);
  const options = Object.values(first.options ?? {}).join(' · ');
  const isSame = (a, b) => a?.amount === b?.amount;
  return {
    sku: first.sku,
    node: h('tr', null, h('th', { scope: 'row', class: 'num' }, first.sku), h('td', null, options), h('td', null, price), h('td', null, compare), ...stock),
    isChanged: () => !isSame(money(price), variant.price) || !isSame(money(compare), variant.compare_at_price),
    applyTo({ compare_at_price: _, ...other }) {
      const above = money(compare);
      return { ...other, price: money(price), ...(above && { compare_at_price: above }) };
    },
    adopt(next) {
      if (!next) return;
      variant = next;
      price.value = shown(next.price);
      compare.value = shown(next.compare_at_price);
    },
    /** Takes over the prices that this person has not changed. */
    merge(theirs) {
      if (!theirs) return;
      if (isSame(money(price), variant.price)) price.value = shown(theirs.price);
      if (isSame(money(compare), variant.compare_at_price)) compare.value = shown(theirs.compare_at_price);
      variant = theirs;
    },
  };
}

/** The cells for the pieces on hand and reserved, and for the button that sets them. */
function stockCells(sku, signal) {
  let level;
  const onHand = h('input', { class: 'input num', type: 'number', min: '0', max: '1000000000', step: '1', disabled: true, 'aria-label': `${sku} ${t('merchant.field.on_hand')}` });
  const reserved = h('td', { class: 'num' }, '–');
  const set = h('button', { class: 'button small', type: 'button', disabled: true, onclick: save }, t('merchant.save'));
  function draw(next) {
    level = next;
    onHand.value = next.on_hand;
    // Pieces in several warehouses are set per warehouse.
    const isOne = next.warehouses.length <= 1;
    onHand.disabled = !isOne;
    set.disabled = !isOne;
    reserved.textContent = formatCount(next.reserved);
  }
  async function save() {
    set.disabled = true;
    try {
      const [warehouse] = level.warehouses;
      const body = { on_hand: Number(onHand.value), ...(warehouse && { warehouse_id: warehouse.warehouse_id }) };
      draw(await callAsStaff(`inventory/v1/stock/${encodeURIComponent(sku)}`, { method: 'PUT', body, headers: { 'if-match': `"${level.version}"` } }));
      toast(t('merchant.stock_saved', { sku, n: formatCount(level.on_hand) }));
    } catch (error) {
      toast(explanation(error));
      await load();
    }
  }
  const load = () => callAsStaff(`inventory/v1/stock/${encodeURIComponent(sku)}`, { signal }).then(draw).catch(() => {
    // The catalogue has just created the SKU, or inventory is away: the stock cannot be set now.
  });
  load();
  return [h('td', null, onHand), reserved, h('td', null, set)];
}
