// The returns of an order: what was requested, and a form for another one.

import { h, toast } from '/assets/dom.js';
import { uuid } from '/assets/storage.js';
import { formatDateTime, formatPrice, known, localized, t } from '/assets/i18n.js';
import { callAsShopper } from '/assets/shop/shopper.js';

const REASONS = ['changed_mind', 'does_not_fit', 'not_as_described', 'wrong_item', 'damaged', 'defective', 'too_late', 'other'];

/** A panel that is hidden until there is something to return; `changed` is called after a request. */
export function returnsPanel(orderPath, signal, changed) {
  const list = h('ul', { class: 'orders' });
  const form = h('div');
  const node = h('section', { class: 'panel returns', hidden: true }, h('h2', null, t('return.title')), list, form);
  const path = `${orderPath}/returns`;
  let drawn;

  /** Shows the returns of the order, and what else may come back. */
  async function update(order) {
    const shipped = shippedPieces(order);
    if (shipped.size === 0) return;
    const { items = [] } = await callAsShopper(path, { signal });
    for (const one of items.filter((other) => other.state !== 'refused')) {
      for (const { sku, quantity } of one.lines) shipped.set(sku, (shipped.get(sku) ?? 0) - quantity);
    }
    const open = order.lines.map((line) => ({ ...line, left: shipped.get(line.sku) ?? 0 })).filter((line) => line.left > 0);
    const titles = new Map(order.lines.map((line) => [line.sku, localized(line.title) || line.sku]));
    list.replaceChildren(...items.map((one) => returnRow(one, titles)));
    node.hidden = items.length === 0 && open.length === 0;
    // A form that is filled in stays, unless other pieces may come back.
    const state = JSON.stringify(open.map((line) => [line.sku, line.left]));
    if (state === drawn) return;
    drawn = state;
    form.replaceChildren(...open.length > 0 ? [returnForm(open)] : []);
  }

  function returnForm(open) {
    const rows = open.map((line) => {
      const quantity = h('input', { class: 'input num', type: 'number', min: 0, max: line.left, value: 0, inputmode: 'numeric', 'aria-label': `${t('return.quantity')}: ${localized(line.title)}` });
      const reason = h('select', { class: 'input', 'aria-label': `${t('return.reason')}: ${localized(line.title)}` }, REASONS.map((one) => h('option', { value: one }, t(`return.${one}`))));
      return { sku: line.sku, quantity, reason, node: h('li', { class: 'return-line' }, h('span', null, localized(line.title) || line.sku), quantity, reason) };
    });
    const error = h('p', { class: 'notice bad', role: 'alert', hidden: true });
    const send = h('button', { class: 'button', type: 'submit' }, t('return.send'));
    // The key stays the same for retries, so that a double click requests one return.
    const attempt = uuid();
    return h('details', null, h('summary', { class: 'button' }, t('return.start')), h('form', { class: 'return-form', onsubmit: async (event) => {
      event.preventDefault();
      const wanted = rows.filter((row) => row.quantity.valueAsNumber > 0);
      error.hidden = wanted.length > 0;
      error.textContent = t('return.none');
      if (wanted.length === 0) return;
      send.disabled = true;
      try {
        const body = { lines: wanted.map((row) => ({ sku: row.sku, quantity: row.quantity.valueAsNumber, reason: row.reason.value })) };
        await callAsShopper(path, { method: 'POST', body, signal, headers: { 'idempotency-key': attempt } });
        toast(t('return.sent'));
        await changed();
      } catch (problem) {
        if (signal.aborted) return;
        error.hidden = false;
        error.textContent = problem.message;
      }
      send.disabled = false;
    } }, h('ul', null, rows.map((row) => row.node)), error, send));
  }
  return { node, update };
}

/** The pieces of an order that were shipped, by SKU. */
function shippedPieces(order) {
  const pieces = new Map();
  for (const parcel of order.fulfilment?.parcels ?? []) {
    if (!parcel.shipped_at) continue;
    for (const { sku, quantity } of parcel.lines) pieces.set(sku, (pieces.get(sku) ?? 0) + quantity);
  }
  return pieces;
}

function returnRow({ state, lines, refund, requested_at: at }, titles) {
  const what = lines.map(({ sku, quantity }) => `${titles.get(sku) ?? sku} × ${quantity}`).join('、');
  const paid = refund && t(refund.state === 'refunded' ? 'return.refund' : 'return.refund.pending', { amount: formatPrice(refund.amount) });
  return h('li', { class: 'return-row' },
    h('span', { class: 'order-what' }, h('b', null, what), h('span', { class: 'faint small num' }, [formatDateTime(at), paid].filter(Boolean).join(' · '))),
    h('span', { class: 'status', 'data-status': state }, known(`return.${state}`) ? t(`return.${state}`) : state));
}
