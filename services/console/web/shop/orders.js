// Orders: the list, and one order followed live.

import { h, empty, toast } from '/assets/dom.js';
import { follow, Problem } from '/assets/api.js';
import { uuid } from '/assets/store.js';
import { clock, known, local, moment, price, t } from '/assets/words.js';
import { callAsShopper, knownShopper, shopper } from '/assets/shop/shopper.js';

const WAY = ['placed', 'reserved', 'confirmed', 'shipped', 'delivered'];
const ENDS = ['delivered', 'rejected', 'payment_failed', 'expired', 'cancelled', 'returned'];
const CANCELLABLE = ['placed', 'reserved', 'confirmed'];

const statusText = (status) => (known(`status.${status}`) ? t(`status.${status}`) : status);

/** The shopper's orders. */
export async function ordersPage({ stage, signal }) {
  document.title = `${t('order.mine')} · ${t('brand')}`;
  stage.append(h('h1', null, t('order.mine')));
  const none = () => stage.append(empty(t('order.none'), t('order.none.text'), h('a', { class: 'button main', href: '#/' }, t('cart.browse'))));
  if (!knownShopper()) return none();
  const { customer_id } = await shopper();
  const { items = [] } = await callAsShopper('/api/order/v1/orders', { query: { customer_id, limit: 50 }, signal });
  if (items.length === 0) return none();
  stage.append(h('ul', { class: 'orders' }, items.map((order) => h('li', null, h('a', { href: `#/orders/${encodeURIComponent(order.id)}` },
    h('span', { class: 'order-what' }, h('b', null, summary(order)), h('span', { class: 'faint small num' }, order.created_at ?? order.placed_at ? moment(order.created_at ?? order.placed_at) : order.id)),
    h('span', { class: 'status', 'data-status': order.status }, statusText(order.status)),
    h('span', { class: 'num' }, price(order.total)))))));
  return undefined;
}

function summary(order) {
  const pieces = (order.lines ?? []).reduce((sum, line) => sum + line.quantity, 0);
  const first = local(order.lines?.[0]?.title) || order.lines?.[0]?.sku || order.id;
  return pieces > 1 ? `${first} · ${t('order.pieces', { n: pieces })}` : first;
}

/** One order: its state and everything that happened to it, as it happens. */
export async function orderPage({ stage, id, signal }) {
  const path = `/api/order/v1/orders/${encodeURIComponent(id)}`;
  const live = h('p', { class: 'live small', role: 'status' });
  const steps = h('ol', { class: 'steps' });
  const reason = h('p', { class: 'notice warn', hidden: true });
  const actions = h('div', { class: 'order-actions' });
  const timeline = h('ol', { class: 'timeline' }, h('li', { class: 'faint' }, t('order.nothing')));
  const bought = h('section', { class: 'panel' });
  let order;

  async function load() {
    const [fresh, history] = await Promise.all([
      callAsShopper(path, { signal }),
      callAsShopper(`${path}/timeline`, { signal }).catch((error) => { if (signal.aborted) throw error; return undefined; }),
    ]);
    order = fresh;
    draw();
    if (history?.items?.length) timeline.replaceChildren(...history.items.map(timelineItem));
  }

  function draw() {
    const at = WAY.indexOf(order.status);
    const astray = at < 0;
    const shown = astray ? [...WAY.slice(0, 1), order.status] : WAY;
    steps.replaceChildren(...shown.map((status, i) => h('li', {
      class: astray ? (i === 0 ? 'past' : 'astray') : i < at ? 'past' : i === at ? 'now' : 'ahead',
      'aria-current': status === order.status ? 'step' : undefined,
    }, h('i', { 'aria-hidden': 'true' }), h('span', null, statusText(status)))));
    reason.hidden = !order.reason;
    reason.textContent = order.reason ? `${t('order.reason')}：${local(order.reason.text ?? order.reason)}` : '';
    actions.replaceChildren(...[
      order.status === 'reserved' && act('order.pay', 'main', `${path}/payment`, 'order.paid', { method: 'test' }),
      CANCELLABLE.includes(order.status) && act('order.cancel', 'quiet', `${path}/cancel`, 'order.cancelled'),
    ].filter(Boolean));
    bought.replaceChildren(h('h2', null, t('order.lines')),
      h('ul', null, (order.lines ?? []).map((line) => h('li', null, h('span', null, local(line.title) || line.sku, h('span', { class: 'faint small' }, ` × ${line.quantity}`)), h('span', { class: 'num' }, price(line.unit_price && { ...line.unit_price, amount: line.unit_price.amount * line.quantity }))))),
      order.total && h('p', { class: 'sum num' }, h('span', null, t('order.total')), h('b', null, price(order.total))));
    if (ENDS.includes(order.status)) say('done');
  }

  function act(label, mood, route, done, body = {}) {
    const button = h('button', { class: `button ${mood}`, type: 'button' }, t(label));
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

  function say(state) {
    live.dataset.state = state;
    live.textContent = t(`order.${state}`);
  }

  await load();
  document.title = `${t('order.title')} · ${t('brand')}`;
  stage.append(
    h('div', { class: 'list-head' }, h('h1', null, t('order.title')), h('p', { class: 'faint small num' }, id), live),
    h('section', { class: 'panel' }, steps, reason, actions),
    h('div', { class: 'order-columns' }, h('section', { class: 'panel' }, h('h2', null, t('order.timeline')), timeline), bought));
  if (ENDS.includes(order.status)) return;

  // Every event is a reason to look again: the order is read from its owner, not put together from hearsay.
  let reading = false;
  let again = false;
  const look = async () => {
    if (reading) { again = true; return; }
    reading = true;
    try {
      do { again = false; await load(); } while (again && !signal.aborted);
    } catch {
      // The next event, or the next connection, looks again.
    }
    reading = false;
  };
  follow(`${path}/events`, {
    signal,
    token: async () => (await shopper()).token,
    onState: (state) => { if (!ENDS.includes(order.status)) say(state === 'open' ? 'live' : 'lost'); if (state === 'open') look(); },
    onEvent: () => { look(); return !ENDS.includes(order.status); },
  }).catch((error) => { if (!(error instanceof Problem)) throw error; say('lost'); });
}

function timelineItem(item) {
  const detail = typeof item.detail === 'object' && item.detail !== null ? Object.entries(item.detail).map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`).join(' · ') : item.detail;
  return h('li', null, h('time', { class: 'faint small num', datetime: item.at }, clock(item.at)),
    h('div', null, h('b', null, item.event), h('span', { class: 'faint small' }, ` ${item.service}`), detail && h('p', { class: 'soft small' }, detail)));
}
