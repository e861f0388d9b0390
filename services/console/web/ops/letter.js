// One dead letter: what is wrong with it, and what can be done about it.

import { h } from '/assets/dom.js';
import { call, Problem } from '/assets/api.js';
import { clock, count, t } from '/assets/words.js';

// How long a second click on "discard" is taken as meant.
const MEANT_MS = 4_000;

/** What is gone for good asks first, by changing its words. */
export function meant(button, act) {
  const words = button.textContent;
  if (button.dataset.armed) return act();
  button.dataset.armed = 'yes';
  button.textContent = t('ops.letter.sure');
  setTimeout(() => { delete button.dataset.armed; button.textContent = words; }, MEANT_MS);
}

/** Runs `act` with the buttons of `node` off; what a service refuses is said in `trouble`. */
export async function busy(node, trouble, act) {
  const buttons = [...node.querySelectorAll('button')];
  buttons.forEach((button) => { button.disabled = true; });
  trouble.textContent = '';
  try {
    await act();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    trouble.textContent = error.message;
  } finally {
    buttons.forEach((button) => { button.disabled = false; });
  }
}

export const button = (key, onclick, quiet = true) => h('button', { class: quiet ? 'button quiet' : 'button', type: 'button', onclick }, t(key));

/** A row for `letter` of `service`; `changed` is called once it is dealt with. */
export function letterRow(service, letter, credentials, changed) {
  const path = `/ops/dead-letters/${service}/${letter.id}`;
  const ask = (rest, init = {}) => call(path + rest, { ...init, ...credentials() });
  const trouble = h('p', { class: 'letter-trouble small', role: 'alert' });
  const tried = h('div', { class: 'letter-tried', role: 'status' });
  const inside = h('div', { class: 'letter-inside' });
  const run = (act) => busy(node, trouble, act);
  const deal = (verb) => run(async () => { await ask(`/${verb}`, { method: 'POST' }); await changed(); });
  const discard = button('ops.letter.discard', () => meant(discard, () => deal('discard')));
  const rehearse = button('ops.letter.dry', () => run(async () => tried.replaceChildren(...rehearsal(await ask('/dry-run', { method: 'POST' })))));
  const details = h('details', { ontoggle: () => { if (details.open && !inside.firstChild) run(read); } }, h('summary', null, t('ops.letter.more')), inside);

  const isEvent = letter.sequence !== null;
  const node = h('li', null,
    h('p', { class: 'letter-where small' },
      isEvent ? h('code', null, `${letter.key} #${letter.sequence}`) : h('span', { class: 'faint' }, t('ops.letter.no_event')),
      h('time', { class: 'faint', datetime: letter.died_at }, clock(letter.died_at)), h('span', { class: 'faint num' }, t('ops.letter.tried', { n: count(letter.attempts) })),
      letter.blocks && h('span', { class: 'letter-blocks' }, t('ops.letter.blocks')), letter.edited_at && h('span', { class: 'letter-edited' }, t('ops.letter.edited'))),
    h('p', { class: 'letter-do' }, isEvent && rehearse, isEvent && button('ops.letter.redrive', () => deal('redrive'), false), discard),
    tried, trouble, details);

  async function read() {
    const shown = await ask('');
    inside.replaceChildren(...[fitness(shown.fit), causes(shown.causes), isEvent ? editor(shown) : h('pre', null, shown.payload), way(shown)].filter(Boolean));
  }

  function editor(shown) {
    const { data } = JSON.parse(shown.payload);
    const text = h('textarea', { class: 'input letter-data', spellcheck: 'false', rows: 10, 'aria-label': t('ops.letter.data') });
    text.value = JSON.stringify(data, null, 2);
    const save = () => run(async () => {
      let body;
      try {
        body = JSON.parse(text.value);
      } catch (error) {
        throw new Problem(0, { detail: t('ops.letter.no_json', { why: error.message }) });
      }
      await ask('/data', { method: 'PUT', body });
      tried.replaceChildren(h('p', { class: 'good' }, t('ops.letter.saved')));
      await read();
    });
    return h('section', null, h('h4', null, t('ops.letter.data')), text, h('p', { class: 'letter-do' }, button('ops.letter.save', save, false)),
      shown.original && h('details', null, h('summary', null, t('ops.letter.original')), h('pre', null, pretty(shown.original))));
  }
  return node;
}

/** Where the data does not fit its type. */
function fitness(fit) {
  if (!fit) return undefined;
  const rows = fit.differences.map((one) => h('tr', { 'data-what': one.what },
    h('td', null, h('code', null, one.place || '·')), h('td', null, t(`ops.fit.${one.what}`)), h('td', null, h('code', null, one.expected)), h('td', null, one.found && h('code', null, one.found))));
  const verdict = fit.unreadable.length > 0 ? h('p', { class: 'bad' }, t('ops.fit.unreadable'), ' ', h('code', null, fit.unreadable.at(-1))) : h('p', { class: 'good' }, t('ops.fit.readable'));
  return h('section', null, h('h4', null, t('ops.fit')), verdict, rows.length > 0 && h('div', { class: 'fit-frame' }, h('table', { class: 'fit' },
    h('thead', null, h('tr', null, ...['place', 'what', 'expected', 'found'].map((name) => h('th', { scope: 'col' }, t(`ops.fit.${name}`))))), h('tbody', null, ...rows))));
}

function causes(list) {
  return h('section', null, h('h4', null, t('ops.letter.causes')), h('ol', { class: 'small' }, list.map((cause) => h('li', null, cause))));
}

/** How it came here. */
function way({ exchange, routing_key: key, event_id: event, traceparent }) {
  const facts = [['exchange', [exchange, key].filter(Boolean).join(' / ')], ['event', event], ['trace', traceparent]];
  return h('dl', { class: 'letter-way small' }, facts.filter(([, value]) => value).flatMap(([name, value]) => [h('dt', null, t(`ops.letter.${name}`)), h('dd', null, h('code', null, value))]));
}

/** What a dry run found. */
function rehearsal({ outcome, causes: why, events }) {
  return [h('p', { class: outcome === 'takes_effect' || outcome === 'already_done' || outcome === 'ignored' ? 'good' : 'bad' }, t(`ops.dry.${outcome}`), why.length > 0 && ['：', why.join(' ← ')]),
    ...events.map((event) => h('p', { class: 'small' }, t('ops.dry.says'), ' ', h('code', null, `${event.kind} ${event.key}`)))];
}

function pretty(payload) {
  try {
    return JSON.stringify(JSON.parse(payload), null, 2);
  } catch {
    return payload;
  }
}
