// What an order costs: the quote of the order service, and its lines.

import { h } from '/assets/dom.js';
import { formatPrice, t } from '/assets/i18n.js';
import { callAsShopper, shopper } from '/assets/shop/shopper.js';

/** Asks what an order would cost. Nothing is ordered. */
export async function quote({ lines, address, coupon, signal }) {
  const { customer_id } = await shopper();
  return callAsShopper('/api/order/v1/quotes', {
    method: 'POST', signal,
    body: {
      customer_id,
      lines: lines.map(({ sku, quantity }) => ({ sku, quantity })),
      shipping_address: address,
      coupon: coupon || undefined,
    },
  });
}

/** The rows between the goods and the total; none if the order costs its goods. The total is not among them. */
export function costRows(costs) {
  const tax = costs?.tax;
  if (!costs || (costs.discounts.length === 0 && costs.shipping.amount === 0 && !tax)) return [];
  const rows = [row(t('costs.goods'), formatPrice(costs.goods))];
  for (const discount of costs.discounts) {
    rows.push(row(discount.name, `−${formatPrice(discount.amount)}`, { note: discount.coupon, style: 'off' }));
  }
  rows.push(row(t('costs.shipping'), costs.shipping.amount === 0 ? t('costs.free') : formatPrice(costs.shipping)));
  if (tax) {
    const percent = `${tax.basis_points / 100} %`;
    rows.push(row(`${tax.name} ${percent}`, formatPrice(tax.amount), { note: tax.included ? t('costs.included') : undefined, style: tax.included ? 'faint small' : undefined }));
  }
  return rows;
}

function row(name, amount, { note, style } = {}) {
  return h('li', { class: style }, h('span', null, name, note && h('small', { class: 'faint' }, ` ${note}`)), h('span', { class: 'num' }, amount));
}
