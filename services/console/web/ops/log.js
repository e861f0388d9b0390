// The log of messages as they come: newest first, bounded, to be paused and filtered.

import { h } from '/assets/dom.js';
import { clock, count, t } from '/assets/words.js';
import { SERVICES, serviceName } from '/assets/ops/services.js';

const KEPT = 2_000;
const SHOWN = 300;

/** Wires the log of the page. */
export function eventLog() {
  const body = document.getElementById('log');
  const nothing = document.getElementById('log-empty');
  const note = document.getElementById('log-held');
  const select = document.getElementById('log-exchange');
  const filter = document.getElementById('log-filter');
  const pause = document.getElementById('log-pause');
  let entries = [];
  let held = 0;
  let paused = false;

  const fits = (entry) => {
    if (entry.text) return select.value === '' && filter.value.trim() === '';
    if (select.value && entry.exchange !== select.value) return false;
    const words = filter.value.trim().toLowerCase();
    return !words || `${entry.type ?? ''} ${entry.routing_key} ${entry.subject ?? ''}`.toLowerCase().includes(words);
  };

  function row(entry) {
    if (entry.text) return h('tr', { class: 'between' }, h('td', { colspan: 6 }, entry.text()));
    const type = entry.type ?? t('ops.undecodable');
    return h('tr', { class: entry.type ? undefined : 'bad' },
      h('td', null, clock(entry.time)), h('td', null, entry.exchange), h('td', null, entry.routing_key),
      h('td', null, entry.more_types > 0 ? `${type} +${entry.more_types}` : type), h('td', { title: entry.subject }, entry.subject ?? ''),
      h('td', { class: 'right' }, count(entry.events)));
  }

  function draw() {
    const chosen = select.value;
    select.replaceChildren(h('option', { value: '' }, t('ops.all')), ...SERVICES.map((name) => h('option', { value: name, selected: name === chosen }, serviceName(name))));
    pause.textContent = t(paused ? 'ops.resume' : 'ops.pause');
    pause.setAttribute('aria-pressed', String(paused));
    fresh();
  }

  function fresh() {
    const shown = entries.filter(fits).slice(0, SHOWN);
    body.replaceChildren(...shown.map(row));
    status(shown.length);
  }

  function status(shown) {
    nothing.hidden = shown > 0;
    nothing.textContent = t(entries.length > 0 ? 'ops.log.filtered' : 'ops.log.empty');
    note.textContent = paused && held > 0 ? t('ops.held', { n: count(held) }) : '';
  }

  function put(added) {
    entries = [...added, ...entries].slice(0, KEPT);
    if (paused) {
      held += added.length;
      note.textContent = t('ops.held', { n: count(held) });
      return;
    }
    body.prepend(...added.filter(fits).map(row));
    while (body.children.length > SHOWN) body.lastElementChild.remove();
    status(body.children.length);
  }

  pause.addEventListener('click', () => { paused = !paused; held = 0; draw(); });
  document.getElementById('log-clear').addEventListener('click', () => { entries = []; held = 0; fresh(); });
  filter.addEventListener('input', fresh);
  select.addEventListener('change', fresh);

  return {
    draw,
    /** Adds the messages of a bundle; they come oldest first. */
    flow({ items, omitted }) {
      const added = [...items].reverse();
      if (omitted > 0) added.unshift({ text: () => t('ops.omitted', { n: count(omitted) }) });
      put(added);
    },
    /** Says that some were missed. */
    skipped(bundles) {
      put([{ text: () => t('ops.skipped', { n: count(bundles) }) }]);
    },
  };
}
