// The queues: how many messages wait in each, whether somebody takes them, how that changes, and how long an event stays.

import { h } from '/assets/dom.js';
import { count, t } from '/assets/words.js';
import { sparkline } from '/assets/ops/rates.js';

const KEPT = 60;
// Queues that are for what went wrong: they should be empty, and nobody consumes them.
const NETS = /\.(dead|unrouted)$/;

/** Wires the table of queues. */
export function queueTable() {
  const body = document.getElementById('queues');
  const sum = document.getElementById('queues-sum');
  const rows = new Map();
  let last;
  let broken = false;

  function rowOf(name) {
    const chart = sparkline();
    const cells = { depth: h('td', { class: 'right' }), change: h('td', { class: 'right' }), arrivals: h('td', { class: 'right' }), stay: h('td', { class: 'right' }), consumers: h('td', { class: 'right' }) };
    const node = h('tr', null, h('td', null, name), cells.depth, cells.change, cells.arrivals, cells.stay, cells.consumers, h('td', null, chart.node));
    return { node, cells, chart, history: [] };
  }

  function draw() {
    sum.textContent = broken ? t('ops.queues.error') : '';
    if (!last || last.length === 0) {
      body.replaceChildren(h('tr', { class: 'none' }, h('td', { colspan: 7 }, broken ? t('ops.queues.error') : t('ops.queues.none'))));
      return;
    }
    for (const queue of last) {
      const { node, cells, chart, history } = rows.get(queue.name);
      const missing = queue.messages === null;
      cells.depth.textContent = missing ? t('ops.queue.missing') : count(queue.messages);
      const { arrivals_per_s: arrivals, wait_ms: wait, service_ms: service, consumers_needed: needed } = queue.figures ?? {};
      cells.arrivals.textContent = arrivals ? count(Math.round(arrivals * 10) / 10) : '';
      cells.stay.textContent = typeof wait === 'number' && typeof service === 'number' ? count(Math.round(wait + service)) : '';
      cells.consumers.textContent = missing ? '' : needed > queue.consumers ? `${count(queue.consumers)} < ${count(needed)}` : count(queue.consumers);
      cells.consumers.classList.toggle('lonely', !missing && queue.consumers === 0 && !NETS.test(queue.name));
      node.dataset.mood = NETS.test(queue.name) && queue.messages > 0 ? 'bad' : '';
      const change = rate(history);
      cells.change.textContent = missing || change === 0 ? '' : `${change > 0 ? '+' : '−'}${count(Math.abs(change))}`;
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
    /** Takes `[{ name, messages, consumers, figures? }]`; a queue that is not there has nulls. */
    read(queues) {
      broken = false;
      last = queues;
      for (const { name, messages } of queues) {
        if (!rows.has(name)) rows.set(name, rowOf(name));
        const { history } = rows.get(name);
        history.push({ at: performance.now(), messages: messages ?? 0 });
        if (history.length > KEPT) history.shift();
      }
      for (const name of rows.keys()) if (!queues.some((queue) => queue.name === name)) rows.delete(name);
      draw();
    },
    failed() { broken = true; draw(); },
    names: () => (last ?? []).map((queue) => queue.name),
    waiting: () => (last?.length ? count(last.reduce((all, queue) => all + (queue.messages ?? 0), 0)) : '–'),
    note: () => (last?.length ? `${t('ops.queues')} ${count(last.length)}` : ''),
  };
}
