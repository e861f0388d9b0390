// The list of orders, and one order with live updates.

import { h, emptyState, toast } from '/assets/dom.js';
import { followEvents, Problem } from '/assets/api.js';
import { uuid } from '/assets/storage.js';
import { known, localized, formatDateTime, formatPrice, t } from '/assets/i18n.js';
import { costRows } from '/assets/shop/costs.js';
import { picture } from '/assets/shop/picture.js';
import { returnsPanel } from '/assets/shop/returns.js';
import { callAsShopper, knownShopper, shopper } from '/assets/shop/shopper.js';

const STEPS = ['placed', 'reserved', 'confirmed', 'shipped', 'delivered'];
const FINAL_STATUSES = ['delivered', 'rejected', 'payment_failed', 'expired', 'cancelled', 'returned'];
const CANCELLABLE = ['placed', 'reserved', 'confirmed'];

const statusText = (status) => (known(`status.${status}`) ? t(`status.${status}`) : status);

export async function ordersPage({ container, signal }) {
  document.title = `${t('order.mine')} · ${t('brand')}`;
  container.append(h('h1', null, t('order.mine')));
  const none = () => container.append(emptyState(t('order.none'), t('order.none.text'), h('a', { class: 'button main', href: '#/' }, t('cart.browse'))));
  if (!knownShopper()) return none();
  const { customer_id } = await shopper();
  const { items = [] } = await callAsShopper('/api/order/v1/orders', { query: { customer_id, limit: 50 }, signal });
  if (items.length === 0) return none();
  container.append(h('ul', { class: 'orders' }, items.map((order) => h('li', null, h('a', { href: `#/orders/${encodeURIComponent(order.id)}` },
    h('span', { class: 'order-what' }, h('b', null, summary(order)), h('span', { class: 'faint small num' }, `${order.number} · ${formatDateTime(order.placed_at)}`)),
    h('span', { class: 'status', 'data-status': order.status }, statusText(order.status)),
    h('span', { class: 'num' }, formatPrice(order.total)))))));
  return undefined;
}

function summary(order) {
  const pieces = (order.lines ?? []).reduce((sum, line) => sum + line.quantity, 0);
  const first = localized(order.lines?.[0]?.title) || order.lines?.[0]?.sku || order.id;
  return pieces > 1 ? `${first} · ${t('order.pieces', { n: pieces })}` : first;
}

/** One order: status and timeline, updated live. */
export async function orderPage({ container, id, signal }) {
  const path = `/api/order/v1/orders/${encodeURIComponent(id)}`;
  const live = h('p', { class: 'live small', role: 'status' });
  const number = h('p', { class: 'faint small num' });
  const steps = h('ol', { class: 'steps' });
  const reason = h('p', { class: 'notice warn', hidden: true });
  const hold = h('p', { class: 'soft small order-hold', hidden: true });
  const actions = h('div', { class: 'order-actions' });
  const timeline = h('ol', { class: 'timeline' }, h('li', { class: 'faint' }, t('order.nothing')));
  const linesPanel = h('section', { class: 'panel' });
  const address = h('p', { class: 'soft small' });
  const returns = returnsPanel(path, signal, () => load());
  let order;

  async function load() {
    const [loaded, history] = await Promise.all([
      callAsShopper(path, { signal }),
      callAsShopper(`${path}/timeline`, { signal }).catch((error) => { if (signal.aborted) throw error; return undefined; }),
    ]);
    order = loaded;
    draw();
    await returns.update(order);
    if (history?.items?.length) timeline.replaceChildren(...history.items.map(timelineItem));
  }

  function draw() {
    number.textContent = order.number;
    const at = STEPS.indexOf(order.status);
    const failed = at < 0;
    const shown = failed ? [...STEPS.slice(0, 1), order.status] : STEPS;
    steps.replaceChildren(...shown.map((status, i) => h('li', {
      class: failed ? (i === 0 ? 'past' : 'failed') : i < at ? 'past' : i === at ? 'now' : 'ahead',
      'aria-current': status === order.status ? 'step' : undefined,
    }, h('i', { 'aria-hidden': 'true' }), h('span', null, statusText(status)))));
    reason.hidden = !order.reason;
    reason.textContent = order.reason ? reasonText(order.reason) : '';
    hold.hidden = order.status !== 'reserved' || !order.expires_at;
    hold.textContent = hold.hidden ? '' : t('order.hold', { time: formatDateTime(order.expires_at) });
    address.textContent = addressText(order.shipping_address);
    actions.replaceChildren(...[
      order.status === 'reserved' && actionButton('order.pay', 'main', `${path}/payment`, 'order.paid', { method: 'test' }),
      order.hold_extendable && actionButton('order.extend', 'quiet', `${path}/extend-hold`, 'order.extended'),
      CANCELLABLE.includes(order.status) && actionButton('order.cancel', 'quiet', `${path}/cancel`, 'order.cancelled'),
    ].filter(Boolean));
    linesPanel.replaceChildren(h('h2', null, t('order.lines')),
      h('ul', null, (order.lines ?? []).map(orderLine)),
      h('ul', { class: 'costs' }, costRows(order.costs)),
      order.total && h('p', { class: 'sum num' }, h('span', null, t('order.total')), h('b', null, formatPrice(order.total))),
      address.textContent && h('h2', { class: 'order-address' }, t('order.address')), address);
    if (FINAL_STATUSES.includes(order.status)) showConnection('done');
  }

  function actionButton(label, style, route, done, body = {}) {
    const button = h('button', { class: `button ${style}`, type: 'button' }, t(label));
    button.addEventListener('click', async () => {
      button.disabled = true;
      try {
        await callAsShopper(route, { method: 'POST', body, headers: { 'idempotency-key': uuid() } });
        toast(t(done));
        await load();
      } catch (error) {
        if (!signal.aborted) toast(error.message);
      }
      button.disabled = false;
    });
    return button;
  }

  function showConnection(state) {
    live.dataset.state = state;
    live.textContent = t(`order.${state}`);
  }

  await load();
  document.title = `${t('order.title')} · ${t('brand')}`;
  container.append(
    h('div', { class: 'list-head' }, h('h1', null, t('order.title')), number, live),
    h('section', { class: 'panel' }, steps, reason, hold, actions),
    h('div', { class: 'order-columns' }, h('section', { class: 'panel' }, h('h2', null, t('order.timeline')), timeline), linesPanel), returns.node);
  if (FINAL_STATUSES.includes(order.status)) return;

  // Each event triggers a reload: the order service owns the state, and the page does not rebuild it from events.
  let reloading = false;
  let reloadAgain = false;
  const reload = async () => {
    if (reloading) { reloadAgain = true; return; }
    reloading = true;
    try {
      do { reloadAgain = false; await load(); } while (reloadAgain && !signal.aborted);
    } catch {
      // The next event or the next connection reloads.
    }
    reloading = false;
  };
  followEvents(`${path}/events`, {
    signal,
    token: async () => (await shopper()).token,
    onState: (state) => { if (!FINAL_STATUSES.includes(order.status)) showConnection(state === 'open' ? 'live' : 'lost'); if (state === 'open') reload(); },
    onEvent: () => { reload(); return !FINAL_STATUSES.includes(order.status); },
  }).catch((error) => { if (!(error instanceof Problem)) throw error; showConnection('lost'); });
}

/** A line as it was bought: the product may have changed since. */
function orderLine(line) {
  const options = Object.entries(line.options ?? {}).map(([name, value]) => `${name} ${value}`).join(' · ');
  return h('li', { class: 'order-line' },
    h('span', { class: 'line-pic', 'aria-hidden': 'true' }, linePicture(line)),
    h('span', null, localized(line.title) || line.sku, h('span', { class: 'faint small' }, ` × ${line.quantity}`),
      options && h('span', { class: 'order-options faint small' }, options)),
    h('span', { class: 'num' }, formatPrice(line.unit_price && { ...line.unit_price, amount: line.unit_price.amount * line.quantity })));
}

/** The picture of a line. The page loads none from other servers, so a product with such a picture gets an illustration. */
function linePicture({ image, product_id: seed, sku, title, options }) {
  const isOwn = image && URL.canParse(image, location.href) && new URL(image, location.href).origin === location.origin;
  if (isOwn) return h('img', { class: 'pic', src: image, alt: '', loading: 'lazy' });
  return picture({ seed: seed ?? sku, title: localized(title), options });
}

/** An entry of the progress in plain words. The name of the event is its tooltip. */
function timelineItem({ at, service, event, detail }) {
  const key = `progress.${event.replace(/\.v\d+$/, '')}`;
  const text = progressDetail(detail ?? {});
  return h('li', { title: `${service} · ${event}` }, h('time', { class: 'faint small num', datetime: at }, formatDateTime(at)),
    h('div', null, h('b', null, known(key) ? t(key) : event), text && h('p', { class: 'soft small' }, text)));
}

/** What a shopper wants to know of an entry: the parcel, an amount, or a reason. */
function progressDetail({ carrier, tracking_number: number, amount, total, reason }) {
  if (number) return t('order.tracking', { carrier: !carrier || carrier === 'built-in' ? t('order.carrier') : carrier, number });
  if (reason) return reasonText(reason);
  return formatPrice(typeof amount === 'object' ? amount : total);
}

/** A reason in the language of the page; the services have it in English. */
function reasonText(reason) {
  const key = `reason.${reason.code ?? reason}`;
  return known(key) ? t(key) : localized(reason.text ?? reason);
}

const addressText = (address) => address ? [address.name, address.phone, [address.region, address.city === address.region ? '' : address.city, address.line1, address.line2].filter(Boolean).join(' '), address.postal_code].filter(Boolean).join(' · ') : '';
