// The dead letters, grouped by cause.

import { h } from '/assets/dom.js';
import { call } from '/assets/api.js';
import { formatCount, formatDateTime, t } from '/assets/i18n.js';
import { runBusy, button, deadLetterRow, confirmClick } from '/assets/ops/dead-letter.js';
import { serviceName } from '/assets/ops/services.js';

const MAX_ROWS = 20;

/** Sets up the panel; `credentials` returns `{ token, signal }` of the session. */
export function deadLetterPanel(credentials, changed) {
  const list = document.getElementById('dead-letters');
  const sum = document.getElementById('dead-letters-sum');
  const rate = document.getElementById('dead-letters-rate');
  const rows = new Map();
  let summary;
  let groups;

  const keyOf = (group) => JSON.stringify([group.service, group.consumer, group.reason, group.kind, group.cause]);

  /** A row for a group. A language change recreates it, unless it is open. */
  function groupRow(group) {
    const { service, consumer, reason, cause } = group;
    const selection = { consumer, reason, kind: group.kind ?? '', cause };
    const error = h('p', { class: 'dead-letter-error small', role: 'alert' });
    const progress = h('p', { class: 'dead-letter-result small', role: 'status' });
    const itemList = h('ul', { class: 'dead-letter-rows' });
    const figure = h('span', { class: 'group-count num' });
    const when = h('span');
    const blocks = h('span', { class: 'dead-letter-blocks' });

    /** Repeats the request until the service has processed the whole group. */
    async function resolveAll(verb) {
      const sums = {};
      for (let after; ;) {
        const body = { ...selection, after, per_second: Math.min(Math.max(Math.round(rate.valueAsNumber) || 1_000, 1), 100_000) };
        const batch = await call(`/ops/dead-letters/${service}/${verb}`, { method: 'POST', body, ...credentials(), timeout: 60_000 });
        for (const name of ['redriven', 'discarded', 'failed', 'not_yet']) if (batch[name]) sums[name] = (sums[name] ?? 0) + batch[name];
        progress.textContent = Object.entries(sums).map(([name, n]) => t(`ops.group.${name}`, { n: formatCount(n) })).join(' · ');
        if (batch.failures?.length > 0) error.textContent = batch.failures[0].causes.join(' ← ');
        if (!batch.next) break;
        after = batch.next;
      }
      itemList.replaceChildren();
      if (details.open) await loadItems();
      await changed();
    }

    async function loadItems() {
      const page = await call(`/ops/dead-letters/${service}`, { query: { ...selection, limit: MAX_ROWS }, ...credentials() });
      const items = page.items.filter((item) => (item.kind ?? null) === group.kind);
      itemList.replaceChildren(...items.map((item) => deadLetterRow(service, item, credentials, async () => { await loadItems(); await changed(); })));
    }

    const run = (act) => runBusy(node, error, act);
    const discard = button('ops.group.discard', () => confirmClick(discard, () => run(() => resolveAll('discard'))));
    const details = h('details', { ontoggle: () => { if (details.open && !itemList.firstChild) run(loadItems); } }, h('summary', null, t('ops.group.open')), itemList);
    const node = h('li', null,
      h('p', { class: 'dead-letter-what' }, figure, h('code', { class: 'dead-letter-reason' }, reason), h('code', null, group.kind ?? t('ops.dead_letter.no_event')), blocks),
      h('p', { class: 'dead-letter-where small faint' }, h('span', null, serviceName(service)), h('code', null, consumer), when),
      h('p', { class: 'dead-letter-cause' }, cause),
      h('p', { class: 'dead-letter-do' }, group.kind !== null && button('ops.group.redrive', () => run(() => resolveAll('redrive')), false), discard),
      progress, error, details);
    return { node, isOpen: () => details.open, draw(now) {
      figure.textContent = formatCount(now.count);
      blocks.textContent = now.blocking > 0 ? t('ops.group.blocking', { n: formatCount(now.blocking) }) : '';
      const [oldest, newest] = [formatDateTime(now.oldest), formatDateTime(now.newest)];
      when.textContent = oldest === newest ? newest : `${oldest} – ${newest}`;
    } };
  }

  function draw() {
    if (!summary || !groups) return;
    const unanswered = summary.services.filter((service) => service.pending === null).map((service) => serviceName(service.name));
    sum.textContent = [groups.length > 0 && t('ops.dead_letters.groups', { n: formatCount(groups.length), all: formatCount(summary.pending) }), unanswered.length > 0 && t('ops.dead_letters.silent', { names: unanswered.join('、') })].filter(Boolean).join(' · ');
    rate.closest('label').hidden = groups.length === 0;
    const wanted = groups.map((group) => {
      const row = rows.get(keyOf(group));
      row.draw(group);
      return row.node;
    });
    if (wanted.length === 0) list.replaceChildren(h('li', { class: 'none soft' }, t('ops.dead_letters.none')));
    else if (wanted.length !== list.children.length || wanted.some((node, i) => list.children[i] !== node)) list.replaceChildren(...wanted);
  }

  return {
    /** Redraws in the current language; open rows keep their language. */
    draw() {
      for (const [name, row] of rows) if (!row.isOpen()) rows.delete(name);
      for (const group of groups ?? []) if (!rows.has(keyOf(group))) rows.set(keyOf(group), groupRow(group));
      draw();
    },
    /** Shows the responses of `GET /ops/dead-letters` and of its groups. Rows of groups that still exist stay. */
    update(response, groupList) {
      summary = response;
      groups = groupList.items;
      const names = new Set(groups.map(keyOf));
      for (const group of groups) if (!rows.has(keyOf(group))) rows.set(keyOf(group), groupRow(group));
      for (const name of rows.keys()) if (!names.has(name)) rows.delete(name);
      draw();
    },
    /** The number of pending dead letters of one service, or of all; `undefined` if unknown. */
    pending: (name) => (name ? summary?.services.find((service) => service.name === name)?.pending ?? undefined : summary?.services.some((service) => service.pending !== null) ? summary.pending : undefined),
  };
}
