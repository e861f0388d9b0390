// The orders: a list with filters; each row opens the order with what can be done about it.

import { h, emptyState, toast } from '/assets/dom.js';
import { formatCount, formatDateTime, formatPrice, known, localized, t } from '/assets/i18n.js';
import { callAsStaff, download, explanation } from '/assets/merchant/staff.js';
import { frame, moreButton, openingRow } from '/assets/merchant/table.js';
import { picture } from '/assets/shop/picture.js';
import { uuid } from '/assets/storage.js';

const PAGE = 25;
const STATUSES = ['placed', 'reserved', 'confirmed', 'shipped', 'delivered', 'cancelled', 'expired', 'rejected', 'payment_failed', 'returned'];
const CANCELLABLE = ['placed', 'reserved', 'confirmed'];
/** How long a button waits for the second click. */
const SURE_MS = 4_000;

export async function ordersPage({ container, params, signal }) {
  const body = h('tbody', null);
  const more = moreButton(load);
  const heads = ['order.title', 'ops.log.time', 'merchant.field.status', 'orders.payment', 'order.total'];
  const table = frame(t('merchant.orders'),
    h('table', { class: 'list' }, h('thead', null, h('tr', null,
      heads.map((key) => h('th', { scope: 'col' }, t(key))), h('td', null))), body));
  container.replaceChildren(h('h1', null, t('merchant.orders')), filters(params), table, more);
  let cursor;
  async function load() {
    const query = { ...Object.fromEntries(params), limit: PAGE, cursor };
    const page = await callAsStaff('order/v1/orders', { query, signal });
    cursor = page.next_cursor;
    body.append(...page.items.flatMap((order) => row(order, signal)));
    more.hidden = !cursor;
    if (body.children.length === 0) table.replaceWith(emptyState(t('orders.none'), t('orders.none.text')));
  }
  await load();
}

function filters(params) {
  const field = (name, label, type = 'text') => h('input', { class: 'input', name, type, value: params.get(name) ?? '', placeholder: t(label), 'aria-label': t(label), maxlength: '64' });
  const status = h('select', { class: 'input', name: 'status', 'aria-label': t('merchant.field.status') },
    ['', ...STATUSES].map((name) => h('option', { value: name, selected: (params.get('status') ?? '') === name }, name ? t(`status.${name}`) : t('orders.filter.all'))));
  const chosen = () => Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));
  const export_ = () => download('order/v1/orders', { ...chosen(), format: 'csv', bom: 'true' }, 'orders.csv').catch((error) => toast(explanation(error)));
  const form = h('form', {
    class: 'filters', role: 'search',
    onsubmit: (event) => {
      event.preventDefault();
      location.hash = `#/orders?${new URLSearchParams(chosen())}`;
    },
  }, field('number', 'orders.filter.number'), field('sku', 'orders.filter.sku'), status,
  field('placed_from', 'orders.filter.from', 'date'), field('placed_to', 'orders.filter.to', 'date'),
  h('button', { class: 'button main', type: 'submit' }, t('search.label')), h('button', { class: 'button', type: 'button', onclick: export_ }, t('orders.csv')));
  return form;
}

const paymentText = (state) => (known(`payment.${state}`) ? t(`payment.${state}`) : state);

function row(first, signal) {
  let order = first;
  const { cells, place, below, toggle } = openingRow(6, 'orders.open', reload);
  async function reload() {
    try {
      const [whole, returns] = await Promise.all([callAsStaff(`order/v1/orders/${order.id}`, { signal }), callAsStaff(`order/v1/orders/${order.id}/returns`, { signal })]);
      order = whole;
      draw();
      place.replaceChildren(details(order, returns.items, reload));
    } catch (error) {
      if (!signal.aborted) place.replaceChildren(h('p', { class: 'notice bad lines' }, explanation(error)));
    }
  }
  function draw() {
    const pieces = order.lines.reduce((sum, { quantity }) => sum + quantity, 0);
    cells.replaceChildren(h('td', null, h('b', { class: 'num' }, order.number), h('p', { class: 'small faint' }, t('order.pieces', { n: formatCount(pieces) }))),
      h('td', { class: 'num small' }, formatDateTime(order.placed_at)),
      h('td', null, h('span', { class: 'status', 'data-status': order.status }, t(`status.${order.status}`))),
      h('td', { class: 'small' }, paymentText(order.payment.state)),
      h('td', { class: 'num' }, formatPrice(order.total)), h('td', null, toggle));
  }
  draw();
  return [cells, below];
}

function details(order, returns, reload) {
  const canCancel = CANCELLABLE.includes(order.status);
  const address = order.shipping_address;
  return h('div', { class: 'editor' },
    h('ul', { class: 'order-lines' }, order.lines.map((line) => h('li', null,
      h('div', { class: 'thumb' }, picture({ seed: line.product_id ?? line.sku, title: localized(line.title) })),
      h('div', null, h('b', null, localized(line.title) || line.sku), h('p', { class: 'small faint num' }, line.sku),
        line.cancelled > 0 && h('p', { class: 'small' }, t('orders.line.cancelled', { n: line.cancelled })),
        line.returned > 0 && h('p', { class: 'small' }, t('orders.line.returned', { n: line.returned }))),
      h('p', { class: 'num' }, `${line.quantity} × ${formatPrice(line.unit_price)}`),
      canCancel && order.lines.length > 1 && sureButton(t('orders.cancel_line'), () => act(`order/v1/orders/${order.id}/lines/${encodeURIComponent(line.sku)}/cancel`, {}, reload))))),
    address && h('p', { class: 'soft' }, [address.name, address.phone, [address.region, address.city, address.line1, address.line2].filter(Boolean).join(' '), address.postal_code, address.country].filter(Boolean).join(' · ')),
    h('p', { class: 'soft' }, `${t('orders.payment')}: ${paymentText(order.payment.state)}`, order.payment.refunded && ` · ${t('orders.refunded', { amount: formatPrice(order.payment.refunded) })}`),
    returns.length > 0 && h('section', null, h('h3', null, t('orders.returns')), returns.map((one) => returnPart(one, reload))),
    canCancel && h('div', { class: 'actions' }, sureButton(t('orders.cancel'), () => act(`order/v1/orders/${order.id}/cancel`, undefined, reload))));
}

function returnPart(one, reload) {
  const lines = one.lines.map(({ sku, quantity, reason }) => `${sku} × ${quantity} · ${t(`return.${reason}`)}`).join('; ');
  const receive = (where) => act(`order/v1/returns/${one.id}/receipt`, { lines: one.lines.map(({ sku, quantity }) => ({ sku, [where]: quantity })) }, reload);
  return h('div', { class: 'return' }, h('p', { class: 'small' }, h('b', null, t(`return.${one.state}`)), ` ${lines}`),
    one.state === 'requested' && h('div', { class: 'actions' },
      h('button', { class: 'button small', type: 'button', onclick: () => receive('restocked') }, t('orders.receive')),
      h('button', { class: 'button small', type: 'button', onclick: () => receive('written_off') }, t('orders.write_off')),
      sureButton(t('orders.refuse'), () => act(`order/v1/returns/${one.id}/refusal`, { reason: 'not_received' }, reload))));
}

/** Posts, and shows the order again. */
async function act(path, body, reload) {
  try {
    await callAsStaff(path, { method: 'POST', body, headers: { 'idempotency-key': uuid() } });
    toast(t('merchant.saved'));
  } catch (error) {
    toast(explanation(error));
  }
  await reload();
}

/** A button that acts at the second click. */
function sureButton(text, action) {
  let timer;
  const button = h('button', {
    class: 'button small', type: 'button',
    onclick: async () => {
      if (timer === undefined) {
        button.textContent = t('orders.sure');
        timer = setTimeout(() => {
          timer = undefined;
          button.textContent = text;
        }, SURE_MS);
        return;
      }
      clearTimeout(timer);
      button.disabled = true;
      await action();
    },
  }, text);
  return button;
}
