// The queue table: ready messages, rate of change, arrivals, time in system, consumers.

import { h } from '/assets/dom.js';
import { formatCount, t } from '/assets/i18n.js';
import { sparkline } from '/assets/ops/rates.js';

const HISTORY_LENGTH = 60;
// These queues collect failures: normally empty, without a consumer.
const FAILURE_QUEUES = /\.(dead|unrouted)$/;

export function queueTable() {
  const body = document.getElementById('queues');
  const sum = document.getElementById('queues-sum');
  const rows = new Map();
  let last;
  let failed = false;

  function rowOf(name) {
    const chart = sparkline();
    const cells = { depth: h('td', { class: 'right' }), change: h('td', { class: 'right' }), arrivals: h('td', { class: 'right' }), time: h('td', { class: 'right' }), consumers: h('td', { class: 'right' }) };
    const node = h('tr', null, h('td', null, name), cells.depth, cells.change, cells.arrivals, cells.time, cells.consumers, h('td', null, chart.node));
    return { node, cells, chart, history: [] };
  }

  function draw() {
    sum.textContent = failed ? t('ops.queues.error') : '';
    if (!last || last.length === 0) {
      body.replaceChildren(h('tr', { class: 'none' }, h('td', { colspan: 7 }, failed ? t('ops.queues.error') : t('ops.queues.none'))));
      return;
    }
    for (const queue of last) {
      const { node, cells, chart, history } = rows.get(queue.name);
      const missing = queue.messages === null;
      cells.depth.textContent = missing ? t('ops.queue.missing') : formatCount(queue.messages);
      const { arrivals_per_s: arrivals, wait_ms: wait, service_ms: service, consumers_needed: needed } = queue.figures ?? {};
      cells.arrivals.textContent = arrivals ? formatCount(Math.round(arrivals * 10) / 10) : '';
      cells.time.textContent = typeof wait === 'number' && typeof service === 'number' ? formatCount(Math.round(wait + service)) : '';
      cells.consumers.textContent = missing ? '' : needed > queue.consumers ? `${formatCount(queue.consumers)} < ${formatCount(needed)}` : formatCount(queue.consumers);
      cells.consumers.classList.toggle('unconsumed', !missing && queue.consumers === 0 && !FAILURE_QUEUES.test(queue.name));
      node.dataset.level = FAILURE_QUEUES.test(queue.name) && queue.messages > 0 ? 'bad' : '';
      const change = rate(history);
      cells.change.textContent = missing || change === 0 ? '' : `${change > 0 ? '+' : '−'}${formatCount(Math.abs(change))}`;
      chart.draw(history.map((one) => one.messages));
    }
    const wanted = last.map((queue) => rows.get(queue.name).node);
    if (wanted.length !== body.children.length || wanted.some((node, i) => body.children[i] !== node)) body.replaceChildren(...wanted);
  }

  function rate(history) {
    const [from, to] = [history.at(-4) ?? history[0], history.at(-1)];
    return from && to && to.at > from.at ? Math.round(((to.messages - from.messages) / (to.at - from.at)) * 10_000) / 10 : 0;
  }

  return {
    draw,
    /** Shows the response of `GET /ops/queues`. */
    update(queues) {
      failed = false;
      last = queues;
      for (const { name, messages } of queues) {
        if (!rows.has(name)) rows.set(name, rowOf(name));
        const { history } = rows.get(name);
        history.push({ at: performance.now(), messages: messages ?? 0 });
        if (history.length > HISTORY_LENGTH) history.shift();
      }
      for (const name of rows.keys()) if (!queues.some((queue) => queue.name === name)) rows.delete(name);
      draw();
    },
    showError() { failed = true; draw(); },
    names: () => (last ?? []).map((queue) => queue.name),
    waiting: () => (last?.length ? formatCount(last.reduce((all, queue) => all + (queue.messages ?? 0), 0)) : '–'),
    note: () => (last?.length ? `${t('ops.queues')} ${formatCount(last.length)}` : ''),
  };
}
