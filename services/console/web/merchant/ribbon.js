// Shows how a change of a product travels into the other services.

import { h } from '/assets/dom.js';
import { formatCount, known, t } from '/assets/i18n.js';
import { read } from '/assets/merchant/staff.js';

const WAIT_MS = 1_000;
const LIMIT_MS = 30_000;

/** A ribbon for the change with this id; it follows the change until every service has applied it. */
export function ribbon(change, signal) {
  const list = h('ul', { class: 'ribbon', role: 'status', 'aria-label': t('merchant.ribbon') });
  follow(change, signal, (downstream) => list.replaceChildren(...downstream.map(step)));
  return list;
}

const serviceName = (name) => (known(`merchant.service.${name}`) ? t(`merchant.service.${name}`) : name);

function step({ service, status, latency_ms: latency, reason }) {
  const text = status === 'applied' ? t('merchant.ms', { n: formatCount(latency) })
    : t(status === 'failed' ? 'merchant.ribbon.failed' : 'merchant.ribbon.pending');
  return h('li', { 'data-status': status, title: reason }, h('i', { 'aria-hidden': 'true' }),
    h('b', null, serviceName(service)), h('span', { class: 'num' }, text));
}

async function follow(change, signal, show) {
  const end = Date.now() + LIMIT_MS;
  let complete = false;
  while (!complete && Date.now() < end && !signal.aborted) {
    let progress;
    try {
      const query = { wait_ms: WAIT_MS };
      progress = await read(`product-catalog/v1/changes/${change}`, { query, signal });
    } catch {
      return;
    }
    show(progress.downstream);
    complete = progress.complete || progress.downstream.every(({ status }) => status !== 'pending');
  }
}
