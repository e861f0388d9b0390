// The event log: newest first, bounded, with pause and filter.

import { h } from '/assets/dom.js';
import { formatTime, formatCount, t } from '/assets/i18n.js';
import { SERVICES, serviceName } from '/assets/ops/services.js';

const MAX_ENTRIES = 2_000;
const MAX_ROWS = 300;

export function eventLog() {
  const body = document.getElementById('log');
  const emptyNotice = document.getElementById('log-empty');
  const note = document.getElementById('log-held');
  const select = document.getElementById('log-exchange');
  const filter = document.getElementById('log-filter');
  const pause = document.getElementById('log-pause');
  let entries = [];
  let unshown = 0;
  let paused = false;

  const matches = (entry) => {
    if (entry.text) return select.value === '' && filter.value.trim() === '';
    if (select.value && entry.exchange !== select.value) return false;
    const query = filter.value.trim().toLowerCase();
    return !query || `${entry.type ?? ''} ${entry.routing_key} ${entry.subject ?? ''}`.toLowerCase().includes(query);
  };

  function row(entry) {
    if (entry.text) return h('tr', { class: 'note' }, h('td', { colspan: 6 }, entry.text()));
    const type = entry.type ?? t('ops.undecodable');
    return h('tr', { class: entry.type ? undefined : 'bad' },
      h('td', null, formatTime(entry.time)), h('td', null, entry.exchange), h('td', null, entry.routing_key),
      h('td', null, entry.more_types > 0 ? `${type} +${entry.more_types}` : type), h('td', { title: entry.subject }, entry.subject ?? ''),
      h('td', { class: 'right' }, formatCount(entry.events)));
  }

  function draw() {
    const chosen = select.value;
    select.replaceChildren(h('option', { value: '' }, t('ops.all')), ...SERVICES.map((name) => h('option', { value: name, selected: name === chosen }, serviceName(name))));
    pause.textContent = t(paused ? 'ops.resume' : 'ops.pause');
    pause.setAttribute('aria-pressed', String(paused));
    redraw();
  }

  function redraw() {
    const shown = entries.filter(matches).slice(0, MAX_ROWS);
    body.replaceChildren(...shown.map(row));
    status(shown.length);
  }

  function status(shown) {
    emptyNotice.hidden = shown > 0;
    emptyNotice.textContent = t(entries.length > 0 ? 'ops.log.filtered' : 'ops.log.empty');
    note.textContent = paused && unshown > 0 ? t('ops.held', { n: formatCount(unshown) }) : '';
  }

  function prepend(added) {
    entries = [...added, ...entries].slice(0, MAX_ENTRIES);
    if (paused) {
      unshown += added.length;
      note.textContent = t('ops.held', { n: formatCount(unshown) });
      return;
    }
    body.prepend(...added.filter(matches).map(row));
    while (body.children.length > MAX_ROWS) body.lastElementChild.remove();
    status(body.children.length);
  }

  pause.addEventListener('click', () => { paused = !paused; unshown = 0; draw(); });
  document.getElementById('log-clear').addEventListener('click', () => { entries = []; unshown = 0; redraw(); });
  filter.addEventListener('input', redraw);
  select.addEventListener('change', redraw);

  return {
    draw,
    /** Adds the messages of a batch, which are sorted oldest first. */
    add({ items, omitted }) {
      const added = [...items].reverse();
      if (omitted > 0) added.unshift({ text: () => t('ops.omitted', { n: formatCount(omitted) }) });
      prepend(added);
    },
    /** Notes how many batches were missed. */
    skipped(batches) {
      prepend([{ text: () => t('ops.skipped', { n: formatCount(batches) }) }]);
    },
  };
}
