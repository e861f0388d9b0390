// Event counts per second over the last minute.

import { s } from '/assets/dom.js';

const SECONDS = 60;
const RECENT = 5;

/** Counters per second: messages, events, orders, and events of each exchange. */
export class Rates {
  #seconds = [];
  #totals = new Map();

  /** Adds one batch. */
  add({ messages, events, kinds, exchanges }) {
    const second = this.#second();
    const put = (name, n) => {
      second.set(name, (second.get(name) ?? 0) + n);
      this.#totals.set(name, (this.#totals.get(name) ?? 0) + n);
    };
    put('messages', messages);
    put('events', events);
    for (const [kind, n] of Object.entries(kinds)) if (kind.startsWith('order.placed.')) put('orders', n);
    for (const [exchange, n] of Object.entries(exchanges)) put(`from ${exchange}`, n);
  }

  #second() {
    const at = Math.floor(Date.now() / 1000);
    let last = this.#seconds.at(-1);
    if (last?.at !== at) {
      last = { at, counts: new Map() };
      this.#seconds.push(last);
      this.#seconds = this.#seconds.filter((one) => one.at > at - SECONDS - 1);
    }
    return last.counts;
  }

  /** The counts of the last 60 complete seconds, oldest first. */
  series(name) {
    const now = Math.floor(Date.now() / 1000);
    const found = new Map(this.#seconds.map(({ at, counts }) => [at, counts.get(name) ?? 0]));
    return Array.from({ length: SECONDS }, (_, i) => found.get(now - SECONDS + i) ?? 0);
  }

  /** The sum over the last 5 complete seconds. */
  recent(name) {
    return this.series(name).slice(-RECENT).reduce((sum, n) => sum + n, 0);
  }

  /** The rate per second, averaged over 5 seconds. */
  now(name) {
    return this.recent(name) / RECENT;
  }

  /** The total since the page was opened. */
  total(name) {
    return this.#totals.get(name) ?? 0;
  }
}

/** A small line chart without axes. */
export function sparkline() {
  const area = s('path', { class: 'spark-area' });
  const line = s('path', { class: 'spark-line' });
  const node = s('svg', { class: 'spark', viewBox: '0 0 100 30', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, area, line);
  return {
    node,
    draw(values) {
      const max = Math.max(1, ...values);
      node.classList.toggle('idle', values.every((value) => value === 0));
      const points = values.map((value, i) => `${((i / Math.max(1, values.length - 1)) * 100).toFixed(2)} ${(28 - (value / max) * 25).toFixed(2)}`);
      line.setAttribute('d', points.length ? `M${points.join('L')}` : '');
      area.setAttribute('d', points.length ? `M0 30L${points.join('L')}L100 30Z` : '');
    },
  };
}
