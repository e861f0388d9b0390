// The dead letters: what could not be handled, in groups of those that died of the same cause.

import { h } from '/assets/dom.js';
import { call } from '/assets/api.js';
import { count, moment, t } from '/assets/words.js';
import { busy, button, letterRow, meant } from '/assets/ops/letter.js';
import { serviceName } from '/assets/ops/services.js';

// How many letters of a group are shown one by one.
const SHOWN = 20;

/** Wires the panel; `credentials` gives `{ token, signal }` as long as the visitor is inside. */
export function letterBox(credentials, changed) {
  const list = document.getElementById('letters');
  const sum = document.getElementById('letters-sum');
  const rate = document.getElementById('letters-rate');
  const rows = new Map();
  let said;
  let groups;

  const nameOf = (group) => JSON.stringify([group.service, group.consumer, group.reason, group.kind, group.cause]);

  /** A row for a group. It is made anew when the language changes, unless it is opened. */
  function groupRow(group) {
    const { service, consumer, reason, cause } = group;
    const selection = { consumer, reason, kind: group.kind ?? '', cause };
    const trouble = h('p', { class: 'letter-trouble small', role: 'alert' });
    const progress = h('p', { class: 'letter-tried small', role: 'status' });
    const letters = h('ul', { class: 'letter-rows' });
    const figure = h('span', { class: 'group-count num' });
    const when = h('span');
    const blocks = h('span', { class: 'letter-blocks' });

    /** Calls again and again until the service has tried them all. */
    async function all(verb) {
      const sums = {};
      for (let after; ;) {
        const body = { ...selection, after, per_second: Math.min(Math.max(Math.round(rate.valueAsNumber) || 1_000, 1), 100_000) };
        const done = await call(`/ops/dead-letters/${service}/${verb}`, { method: 'POST', body, ...credentials(), deadline: 60_000 });
        for (const name of ['redriven', 'discarded', 'failed', 'not_yet']) if (done[name]) sums[name] = (sums[name] ?? 0) + done[name];
        progress.textContent = Object.entries(sums).map(([name, n]) => t(`ops.group.${name}`, { n: count(n) })).join(' · ');
        if (done.failures?.length > 0) trouble.textContent = done.failures[0].causes.join(' ← ');
        if (!done.next) break;
        after = done.next;
      }
      letters.replaceChildren();
      if (details.open) await look();
      await changed();
    }

    async function look() {
      const answer = await call(`/ops/dead-letters/${service}`, { query: { ...selection, limit: SHOWN }, ...credentials() });
      const items = answer.items.filter((letter) => (letter.kind ?? null) === group.kind);
      letters.replaceChildren(...items.map((letter) => letterRow(service, letter, credentials, async () => { await look(); await changed(); })));
    }

    const run = (act) => busy(node, trouble, act);
    const discard = button('ops.group.discard', () => meant(discard, () => run(() => all('discard'))));
    const details = h('details', { ontoggle: () => { if (details.open && !letters.firstChild) run(look); } }, h('summary', null, t('ops.group.open')), letters);
    const node = h('li', null,
      h('p', { class: 'letter-what' }, figure, h('code', { class: 'letter-reason' }, reason), h('code', null, group.kind ?? t('ops.letter.no_event')), blocks),
      h('p', { class: 'letter-where small faint' }, h('span', null, serviceName(service)), h('code', null, consumer), when),
      h('p', { class: 'letter-cause' }, cause),
      h('p', { class: 'letter-do' }, group.kind !== null && button('ops.group.redrive', () => run(() => all('redrive')), false), discard),
      progress, trouble, details);
    return { node, isOpen: () => details.open, draw(now) {
      figure.textContent = count(now.count);
      blocks.textContent = now.blocking > 0 ? t('ops.group.blocking', { n: count(now.blocking) }) : '';
      const [oldest, newest] = [moment(now.oldest), moment(now.newest)];
      when.textContent = oldest === newest ? newest : `${oldest} – ${newest}`;
    } };
  }

  function draw() {
    if (!said || !groups) return;
    const silent = said.services.filter((service) => service.pending === null).map((service) => serviceName(service.name));
    sum.textContent = [groups.length > 0 && t('ops.letters.groups', { n: count(groups.length), all: count(said.pending) }), silent.length > 0 && t('ops.letters.silent', { names: silent.join('、') })].filter(Boolean).join(' · ');
    rate.closest('label').hidden = groups.length === 0;
    const wanted = groups.map((group) => {
      const row = rows.get(nameOf(group));
      row.draw(group);
      return row.node;
    });
    if (wanted.length === 0) list.replaceChildren(h('li', { class: 'none soft' }, t('ops.letters.none')));
    else if (wanted.length !== list.children.length || wanted.some((node, i) => list.children[i] !== node)) list.replaceChildren(...wanted);
  }

  return {
    /** Draws in the language in use; what somebody has opened keeps its words. */
    draw() {
      for (const [name, row] of rows) if (!row.isOpen()) rows.delete(name);
      for (const group of groups ?? []) if (!rows.has(nameOf(group))) rows.set(nameOf(group), groupRow(group));
      draw();
    },
    /** Takes what `GET /ops/dead-letters` and its groups answer. Groups that are still there keep their rows, opened or not. */
    read(answer, answeredGroups) {
      said = answer;
      groups = answeredGroups.items;
      const names = new Set(groups.map(nameOf));
      for (const group of groups) if (!rows.has(nameOf(group))) rows.set(nameOf(group), groupRow(group));
      for (const name of rows.keys()) if (!names.has(name)) rows.delete(name);
      draw();
    },
    /** How many nobody has dealt with: of one service, or of all; `undefined` where that is not known. */
    pending: (name) => (name ? said?.services.find((service) => service.name === name)?.pending ?? undefined : said?.services.some((service) => service.pending !== null) ? said.pending : undefined),
  };
}
