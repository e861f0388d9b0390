// The product page: variants, price, stock and recommendations.

import { h, emptyPage, icon, toast } from '/assets/dom.js';
import { Problem } from '/assets/api.js';
import { formatCount, localized, formatPrice, t } from '/assets/i18n.js';
import { add } from '/assets/shop/cart.js';
import { product, markViewed, stock } from '/assets/shop/catalog.js';
import { recentRow, recommendationRow } from '/assets/shop/list.js';
import { picture, swatch } from '/assets/shop/picture.js';
import { compareButton, favouriteButton } from '/assets/shop/saved.js';
import { track } from '/assets/shop/tracking.js';

const LOW_STOCK = 10;
const STOCK_POLL_MS = 5_000;

export async function productPage({ container, id, signal }) {
  container.append(h('div', { class: 'product loading', 'aria-hidden': 'true' }, h('div', { class: 'product-pic' }), h('div', { class: 'product-text' }, h('i'), h('i'), h('i'))));
  let found;
  try {
    found = await product(id, { fresh: true, signal });
  } catch (error) {
    if (!(error instanceof Problem && [404, 410, 422].includes(error.status))) throw error;
    container.replaceChildren(emptyPage(t('product.gone'), t('product.gone.text'), h('a', { class: 'button', href: '#/' }, t('cart.browse'))));
    return;
  }
  if (signal.aborted) return;
  markViewed(id);
  document.title = `${localized(found.title)} · ${t('brand')}`;
  track('product_viewed', { product_id: id });
  const rows = [
    crumbs(found), panel(found, signal),
    recommendationRow({ title: t('product.companions'), path: `/v1/recommendations/companions/${encodeURIComponent(id)}`, signal, without: id, list: 'companions' }),
    recommendationRow({ title: t('product.similar'), path: `/v1/recommendations/similar/${encodeURIComponent(id)}`, signal, without: id, list: 'similar' }),
    recentRow({ signal, without: id }),
  ];
  container.replaceChildren(...rows.filter(Boolean));
}

function crumbs(found) {
  const steps = (found.category ?? '').split('/').filter(Boolean);
  return h('nav', { class: 'crumbs small', 'aria-label': t('home.categories') },
    h('a', { href: '#/' }, t('brand')),
    steps.map((step, i) => h('a', { href: `#/s?${new URLSearchParams({ category: steps.slice(0, i + 1).join('/') })}` }, step)));
}

function panel(found, signal) {
  const variants = found.variants ?? [];
  let chosen = variants[0];
  let available;
  const levels = new Map();
  const pictureFrame = h('div', { class: 'product-pic' });
  const priceText = h('p', { class: 'product-price num', 'aria-live': 'polite' });
  const stockText = h('p', { class: 'stock', role: 'status' });
  const sku = h('span', { class: 'num' });
  const amount = stepper(1, () => {});
  const buy = h('button', { class: 'button main', type: 'button' }, icon('M4 7h12l-1 10H5zM7 7a3 3 0 0 1 6 0'), t('product.add'));
  const picker = options(variants, (variant) => { chosen = variant; draw(); refreshStock(); });

  function draw() {
    pictureFrame.replaceChildren(picture({ seed: found.id, category: found.category, title: localized(found.title), options: chosen?.options }));
    priceText.textContent = formatPrice(chosen?.price);
    sku.textContent = chosen?.sku ?? '';
    available = levels.get(chosen?.sku);
    const [level, text] = available === undefined ? ['unknown', t('product.stock_unknown')]
      : available <= 0 ? ['out', t('product.out')]
        : available <= LOW_STOCK ? ['low', t('product.low', { n: formatCount(available) })] : ['in', t('product.in_stock')];
    if (stockText.textContent !== text) stockText.textContent = text;
    stockText.dataset.level = level;
    buy.disabled = !chosen || found.status !== 'active' || available === 0;
    amount.limit(available);
  }

  async function refreshStock() {
    const requested = chosen;
    if (!requested) return;
    const level = await stock(requested.sku, signal);
    if (signal.aborted) return;
    if (level) levels.set(requested.sku, Math.max(0, level.available));
    if (requested === chosen) draw();
  }

  buy.addEventListener('click', () => {
    const added = add({ sku: chosen.sku, product_id: found.id, title: found.title, options: chosen.options, price: chosen.price, category: found.category }, amount.value(), available);
    if (added > 0) track('cart_added', { product_id: found.id, sku: chosen.sku, quantity: added });
    toast(added > 0 ? t('product.added') : t('product.all_in_cart'));
  });
  const timer = setInterval(() => { if (!document.hidden) refreshStock(); }, STOCK_POLL_MS);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  draw();
  refreshStock();

  return h('article', { class: 'product' }, pictureFrame, h('div', { class: 'product-text' },
    found.brand && h('a', { class: 'card-brand', href: `#/s?${new URLSearchParams({ brand: found.brand })}` }, found.brand),
    h('h1', null, localized(found.title)),
    priceText,
    found.status !== 'active' && h('p', { class: 'notice warn' }, t('product.archived')),
    picker,
    stockText,
    h('div', { class: 'buy' }, amount.node, buy),
    h('div', { class: 'savers' }, favouriteButton(found.id), compareButton(found.id)),
    localized(found.description) && h('p', { class: 'product-story soft' }, localized(found.description)),
    facts(found, sku)));
}

function facts(found, sku) {
  const attributes = Object.entries(found.attributes ?? {}).map(([name, value]) => [name, [value].flat().map((one) => localized(one)).join('、')]);
  return h('section', { class: 'facts' }, h('h2', { class: 'small' }, t('product.facts')),
    h('dl', null, attributes.map(([name, value]) => [h('dt', null, name), h('dd', null, value)]), h('dt', null, t('product.sku')), h('dd', null, sku)));
}

/** One group of radio buttons per option. If no variant has the chosen combination, the closest variant is selected. */
function options(variants, choose) {
  const names = [...new Set(variants.flatMap((variant) => Object.keys(variant.options ?? {})))];
  if (variants.length < 2) return undefined;
  if (names.length === 0) {
    return group(t('product.variant'), variants.map((variant) => [variant.sku, variant.sku]), variants[0].sku, (value) => choose(variants.find((variant) => variant.sku === value))).node;
  }
  let wanted = { ...variants[0].options };
  const groups = names.map((name) => {
    const values = [...new Set(variants.map((variant) => variant.options?.[name]).filter(Boolean))];
    return { name, ...group(name, values.map((value) => [value, value]), wanted[name], (value) => pick(name, value)) };
  });
  function pick(name, value) {
    const next = { ...wanted, [name]: value };
    const fits = (variant) => names.filter((other) => variant.options?.[other] === next[other]).length;
    const best = variants.filter((variant) => variant.options?.[name] === value).sort((a, b) => fits(b) - fits(a))[0];
    wanted = { ...best.options };
    groups.forEach((one) => one.set(wanted[one.name]));
    choose(best);
  }
  return h('div', { class: 'options' }, groups.map((one) => one.node));
}

let groupNumber = 0;

function group(label, values, start, choose) {
  groupNumber += 1;
  const inputs = values.map(([value]) => h('input', { type: 'radio', name: `option-${groupNumber}`, value, checked: value === start, onchange: () => choose(value) }));
  return {
    set(value) { inputs.forEach((input) => { input.checked = input.value === value; }); },
    node: h('fieldset', { class: 'choice' }, h('legend', null, label), h('div', null, values.map(([, text], i) => h('label', null, inputs[i], h('span', null, swatch(text), text))))),
  };
}

/** A quantity with a minus and a plus button. */
export function stepper(start, changed, { least = 1 } = {}) {
  let value = start;
  let most = 99;
  const output = h('output', { class: 'num' }, value);
  const less = h('button', { type: 'button', 'aria-label': t('qty.less'), onclick: () => set(value - 1) }, '−');
  const more = h('button', { type: 'button', 'aria-label': t('qty.more'), onclick: () => set(value + 1) }, '+');
  function draw() {
    output.textContent = value;
    less.disabled = value <= least;
    more.disabled = value >= most;
  }
  function set(next) {
    value = Math.max(least, Math.min(most, next));
    draw();
    changed(value);
  }
  draw();
  return {
    node: h('div', { class: 'stepper', role: 'group', 'aria-label': t('product.quantity') }, less, output, more),
    value: () => value,
    limit(available) {
      most = Math.max(1, Math.min(99, available ?? 99));
      value = Math.min(value, most);
      draw();
    },
  };
}
