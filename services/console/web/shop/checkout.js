// The cart page and the checkout form.

import { h, emptyState, toast } from '/assets/dom.js';
import { Problem } from '/assets/api.js';
import { localStore, sessionStore, uuid } from '/assets/storage.js';
import { formatCount, localized, formatPrice, t } from '/assets/i18n.js';
import { clear, lines, onCartChangeElsewhere, setPrice, setQuantity } from '/assets/shop/cart.js';
import { product, stock } from '/assets/shop/catalog.js';
import { costRows, quote } from '/assets/shop/costs.js';
import { picture } from '/assets/shop/picture.js';
import { stepper } from '/assets/shop/product.js';
import { callAsShopper, shopper } from '/assets/shop/shopper.js';
import { track } from '/assets/shop/tracking.js';

const EXAMPLE = {
  zh: { name: '示例买家', phone: '13800000000', region: '上海市', city: '上海市', line1: '示例路 100 号 2 室', postal_code: '200000' },
};
const FIELDS = [
  ['name', 'checkout.recipient', 'name', 60], ['phone', 'checkout.phone', 'tel', 20], ['region', 'checkout.province', 'address-level1', 40],
  ['city', 'checkout.city', 'address-level2', 40], ['line1', 'checkout.line1', 'street-address', 200], ['postal_code', 'checkout.postal', 'postal-code', 12],
];

export async function cartPage({ container, signal }) {
  document.title = `${t('cart.title')} · ${t('brand')}`;
  const list = h('ul', { class: 'lines' });
  const sum = h('p', { class: 'sum num' });
  const costs = h('ul', { class: 'costs', 'aria-live': 'polite' });
  const checkout = checkoutForm(signal, { pricesChanged: () => drawLines(), costsChanged: (content) => drawCosts(content) });
  function draw() {
    const all = lines();
    if (all.length === 0) {
      container.replaceChildren(h('h1', null, t('cart.title')), emptyState(t('cart.empty'), t('cart.empty.text'), h('a', { class: 'button main', href: '#/' }, t('cart.browse'))));
      return;
    }
    const totals = new Map();
    for (const line of all) totals.set(line.price.currency, (totals.get(line.price.currency) ?? 0) + line.price.amount * line.quantity);
    drawSum([...totals].map(([currency, amount]) => formatPrice({ amount, currency })).join(' + '));
    checkout.requestQuote();
  }
  const drawSum = (total) => sum.replaceChildren(h('span', null, t('cart.sum')), h('b', null, total));
  /** Without a quote the sum of the lines stays. */
  function drawCosts(quoted) {
    costs.replaceChildren(...costRows(quoted?.costs));
    if (quoted?.total) drawSum(formatPrice(quoted.total));
  }
  const gone = new Set();
  const levels = new Map();
  const row = (line) => {
    const node = cartLine(line, levels.get(line.sku), (quantity) => {
      setQuantity(line.sku, quantity);
      if (quantity === 0) {
        track('cart_removed', { product_id: line.product_id, sku: line.sku });
        node.remove();
      }
      draw();
    });
    node.classList.toggle('gone', gone.has(line.sku));
    return node;
  };
  function drawLines() {
    list.replaceChildren(...lines().map(row));
    draw();
  }
  container.append(h('h1', null, t('cart.title')), h('div', { class: 'cart' }, h('section', { 'aria-label': t('cart.title') }, list, costs, sum, h('p', { class: 'faint small' }, t('cart.note'))), checkout.form));
  drawLines();
  onCartChangeElsewhere(drawLines, signal);
  Promise.all(lines().map((line) => refresh(line, { gone, levels, signal }))).then(() => { if (!signal.aborted) drawLines(); });
}

/**
 * Compares a line with the catalogue and the stock of now: adds it to `gone` if it is no longer for sale, sets its price, and takes it
 * down to what is in stock. `levels` gets the pieces in stock.
 */
async function refresh(line, { gone, levels, signal }) {
  const level = await stock(line.sku, signal);
  if (level) {
    const available = Math.max(0, level.available);
    levels.set(line.sku, available);
    if (available > 0 && line.quantity > available) setQuantity(line.sku, available);
  }
  try {
    const found = await product(line.product_id, { fresh: true });
    const variant = found.variants.find((one) => one.sku === line.sku);
    if (!variant || found.status !== 'active') gone.add(line.sku);
    else setPrice(line.sku, variant.price);
  } catch (error) {
    if (error instanceof Problem && error.status === 404) gone.add(line.sku);
  }
}

function cartLine(line, available, change) {
  const priceText = h('p', { class: 'line-price num' }, formatPrice({ ...line.price, amount: line.price.amount * line.quantity }));
  const amount = stepper(line.quantity, (quantity) => {
    priceText.textContent = formatPrice({ ...line.price, amount: line.price.amount * quantity });
    change(quantity);
  });
  if (available > 0) amount.limit(available);
  const scarce = available === 0 ? t('product.out') : available <= line.quantity ? t('product.low', { n: formatCount(available) }) : undefined;
  return h('li', { class: 'line' },
    h('a', { class: 'line-pic', href: `#/p/${encodeURIComponent(line.product_id)}`, tabindex: '-1', 'aria-hidden': 'true' }, picture({ seed: line.product_id, category: line.category, title: localized(line.title), options: line.options })),
    h('div', { class: 'line-text' },
      h('a', { href: `#/p/${encodeURIComponent(line.product_id)}` }, localized(line.title)),
      h('p', { class: 'faint small' }, Object.values(line.options ?? {}).join(' · ') || line.sku),
      h('p', { class: 'line-gone small' }, t('cart.gone')),
      scarce && h('p', { class: 'line-changed small' }, scarce),
      line.was ? h('p', { class: 'line-changed small' }, t('cart.changed', { was: formatPrice(line.was), now: formatPrice(line.price) })) : null,
      h('div', { class: 'line-tools' }, amount.node, h('button', { class: 'button quiet small', type: 'button', onclick: () => change(0) }, t('cart.remove')))),
    priceText);
}

const QUOTE_DELAY_MS = 300;

/** The codes of problems that concern the coupon, and not the rest of the order. */
const COUPON_PROBLEMS = ['unknown_coupon', 'coupon_not_in_force', 'coupon_used_up', 'coupon_not_applicable'];
const isCouponProblem = (error) => COUPON_PROBLEMS.includes(error.code) || error.errors?.some((one) => one.field === 'coupon');

function couponText(error) {
  if (error.body?.min_goods) return t('coupon.min_goods', { amount: formatPrice(error.body.min_goods) });
  return COUPON_PROBLEMS.includes(error.code) ? t(`coupon.${error.code}`) : t('coupon.unknown_coupon');
}

function checkoutForm(signal, { pricesChanged, costsChanged }) {
  // A half-filled address survives a change of the language.
  const saved = sessionStore.get('address') ?? localStore.get('address') ?? {};
  const inputs = new Map(FIELDS.map(([name, , autocomplete, maxlength]) => [name, h('input', { class: 'input', name, autocomplete, maxlength, required: name !== 'postal_code', value: saved[name], inputmode: name === 'phone' ? 'tel' : undefined })]));
  const coupon = h('input', { class: 'input', name: 'coupon', maxlength: 40, autocomplete: 'off', autocapitalize: 'characters', spellcheck: 'false', 'aria-describedby': 'coupon-note' });
  const couponNote = h('p', { class: 'coupon-note small', id: 'coupon-note', role: 'status' });
  const submit = h('button', { class: 'button main wide', type: 'submit' }, t('checkout.place'));
  const errorNotice = h('p', { class: 'notice bad', role: 'alert', hidden: true });
  const form = h('form', { class: 'checkout' },
    h('div', { class: 'checkout-head' }, h('h2', null, t('checkout.title')),
      h('button', { class: 'button quiet small', type: 'button', onclick: () => { for (const [name, value] of Object.entries(EXAMPLE.zh)) inputs.get(name).value = value; sessionStore.set('address', addressOf()); requestQuote(); } }, t('checkout.example'))),
    h('div', { class: 'checkout-fields' }, FIELDS.map(([name, label]) => h('label', { class: `field f-${name}` }, h('span', null, t(label)), inputs.get(name)))),
    h('label', { class: 'field' }, h('span', null, t('coupon.label')), coupon), couponNote,
    errorNotice, submit, h('p', { class: 'faint small' }, t('checkout.pay')));

  const addressOf = () => Object.fromEntries([...inputs].map(([name, input]) => [name, input.value.trim()]).filter(([, value]) => value));
  // The last quote; the order names its total. None while a newer one is on its way.
  let quoted;
  let shippingRefused = false;
  let timer;
  let number = 0;
  function requestQuote() {
    quoted = undefined;
    clearTimeout(timer);
    timer = setTimeout(() => updateQuote(++number).catch(() => {}), QUOTE_DELAY_MS);
  }
  async function updateQuote(mine) {
    const wanted = { lines: lines(), address: { country: 'CN', region: inputs.get('region').value.trim() || undefined }, signal };
    if (wanted.lines.length === 0) return;
    let answer;
    let refused;
    try {
      answer = await quote({ ...wanted, coupon: coupon.value.trim() });
    } catch (error) {
      if (signal.aborted || mine !== number) return;
      refused = error;
      // The costs without the coupon are still of interest.
      if (isCouponProblem(error)) answer = await quote(wanted).catch(() => undefined);
    }
    if (signal.aborted || mine !== number) return;
    quoted = refused ? undefined : answer;
    const isApplied = Boolean(answer?.costs?.discounts.some((one) => one.coupon));
    couponNote.textContent = refused && isCouponProblem(refused) ? couponText(refused) : isApplied ? t('coupon.applied') : '';
    couponNote.classList.toggle('bad', Boolean(refused));
    if (refused?.code === 'no_shipping_rate') showError(refused);
    else if (shippingRefused) errorNotice.hidden = true;
    shippingRefused = refused?.code === 'no_shipping_rate';
    costsChanged(answer);
  }
  coupon.addEventListener('input', requestQuote);
  inputs.get('region').addEventListener('input', requestQuote);

  function showError(error) {
    errorNotice.hidden = false;
    errorNotice.replaceChildren(h('b', null, errorText(error)), ...(error.errors ?? []).slice(0, 5).map((one) => h('span', { class: 'small' }, `${one.field} ${one.message}`)));
  }

  // The idempotency key stays the same for retries, so a double click or a lost response places one order.
  let attempt = uuid();
  form.addEventListener('input', () => { attempt = uuid(); sessionStore.set('address', addressOf()); });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    submit.disabled = true;
    submit.textContent = t('checkout.placing');
    errorNotice.hidden = true;
    const address = addressOf();
    try {
      localStore.set('address', address);
      sessionStore.remove('address');
      await placeOrder({ address, attempt, signal, coupon: coupon.value.trim() || undefined, total: quoted?.total });
    } catch (error) {
      if (signal.aborted) return;
      if (error.code === 'price_changed') {
        for (const { sku, current } of error.body.lines) if (current) setPrice(sku, current);
        pricesChanged();
      }
      showError(error);
      // After a client error the next submit has other content and needs a new key.
      if (error instanceof Problem && error.status >= 400 && error.status < 500) attempt = uuid();
    }
    submit.disabled = false;
    submit.textContent = t('checkout.place');
  });
  // Check whether ordering is possible before the user fills in the form.
  shopper().catch((error) => {
    if (signal.aborted || error.status !== 503) return;
    form.replaceChildren(h('div', { class: 'notice warn' }, h('b', null, t('checkout.off')), h('p', { class: 'small' }, t('checkout.off.text'))));
  });
  return { form, requestQuote };
}

async function placeOrder({ address, attempt, signal, coupon, total }) {
  const ordered = lines();
  track('checkout_started', { skus: ordered.map((line) => line.sku) });
  const { customer_id } = await shopper();
  const order = await callAsShopper('/api/order/v1/orders', {
    method: 'POST', signal, headers: { 'idempotency-key': attempt },
    body: {
      customer_id,
      lines: ordered.map(({ sku, quantity, price }) => ({ sku, quantity, expected_unit_price: price })),
      shipping_address: { country: 'CN', ...address },
      payment: { method: 'test' },
      expected_total: total ?? undefined,
      coupon,
    },
  });
  track('order_completed', { order_id: order.id, product_ids: [...new Set(ordered.map((line) => line.product_id))], skus: ordered.map((line) => line.sku) });
  clear();
  toast(t('status.placed'));
  location.hash = `#/orders/${encodeURIComponent(order.id)}`;
}

function errorText(error) {
  if (error.status === 0) return t('error.offline');
  if (error.status === 429) return t('error.limited');
  if (error.status === 503 && error.code === 'ordering_off') return t('checkout.off');
  if (error.code === 'price_changed') return t('checkout.price_changed');
  if (error.code === 'no_shipping_rate') return t('checkout.no_shipping_rate');
  if (isCouponProblem(error)) return couponText(error);
  return error.message || t('error.title');
}
