// One dead letter: its causes, its content, and the actions on it.

import { h } from '/assets/dom.js';
import { call, Problem } from '/assets/api.js';
import { parseExact } from '/assets/json.js';
import { formatTime, formatCount, t } from '/assets/i18n.js';

// How long the second click on a destructive button confirms the first.
const CONFIRM_WINDOW_MS = 4_000;

/** Runs `act` on the second click; the first click changes the label of `button`. */
export function confirmClick(button, act) {
  const label = button.textContent;
  if (button.dataset.armed) return act();
  button.dataset.armed = 'yes';
  button.textContent = t('ops.dead_letter.sure');
  setTimeout(() => { delete button.dataset.armed; button.textContent = label; }, CONFIRM_WINDOW_MS);
}

/** Runs `act` with the buttons of `node` disabled and shows a problem in `errorLine`. */
export async function runBusy(node, errorLine, act) {
  const buttons = [...node.querySelectorAll('button')];
  buttons.forEach((button) => { button.disabled = true; });
  errorLine.textContent = '';
  try {
    await act();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    errorLine.textContent = error.message;
  } finally {
    buttons.forEach((button) => { button.disabled = false; });
  }
}

export const button = (key, onclick, quiet = true) => h('button', { class: quiet ? 'button quiet' : 'button', type: 'button', onclick }, t(key));

/** A row for a dead letter of `service`; calls `changed` after the dead letter is resolved. */
export function deadLetterRow(service, deadLetter, credentials, changed) {
  const path = `/ops/dead-letters/${service}/${deadLetter.id}`;
  const request = (rest, init = {}) => call(path + rest, { ...init, ...credentials() });
  const errorLine = h('p', { class: 'dead-letter-error small', role: 'alert' });
  const result = h('div', { class: 'dead-letter-result', role: 'status' });
  const content = h('div', { class: 'dead-letter-content' });
  const run = (act) => runBusy(node, errorLine, act);
  const resolve = (verb) => run(async () => { await request(`/${verb}`, { method: 'POST' }); await changed(); });
  const discard = button('ops.dead_letter.discard', () => confirmClick(discard, () => resolve('discard')));
  const dryRun = button('ops.dead_letter.dry', () => run(async () => result.replaceChildren(...dryRunResult(await request('/dry-run', { method: 'POST' })))));
  const loss = deadLetter.reason === 'missing_predecessor' && button('ops.dead_letter.lost', () => run(async () => result.replaceChildren(lossForm((await request('')).missing))));
  const details = h('details', { ontoggle: () => { if (details.open && !content.firstChild) run(load); } }, h('summary', null, t('ops.dead_letter.more')), content);

  const isEvent = deadLetter.sequence !== null;
  const node = h('li', null,
    h('p', { class: 'dead-letter-where small' },
      isEvent ? h('code', null, `${deadLetter.key} #${deadLetter.sequence}`) : h('span', { class: 'faint' }, t('ops.dead_letter.no_event')),
      h('time', { class: 'faint', datetime: deadLetter.died_at }, formatTime(deadLetter.died_at)), h('span', { class: 'faint num' }, t('ops.dead_letter.tried', { n: formatCount(deadLetter.attempts) })),
      deadLetter.blocks && h('span', { class: 'dead-letter-blocks' }, t('ops.dead_letter.blocks')), deadLetter.edited_at && h('span', { class: 'dead-letter-edited' }, t('ops.dead_letter.edited'))),
    h('p', { class: 'dead-letter-do' }, isEvent && dryRun, isEvent && button('ops.dead_letter.redrive', () => resolve('redrive'), false), loss, discard),
    result, errorLine, details);

  async function load() {
    const shown = await request('');
    content.replaceChildren(...[schemaCheck(shown.fit), causes(shown.causes), isEvent ? editor(shown) : h('pre', null, shown.payload), delivery(shown)].filter(Boolean));
  }

  /** Asks why the missing events are lost, and declares it. */
  function lossForm(missing) {
    if (!missing) return h('p', null, t('ops.dead_letter.none_missing'));
    const reason = h('input', { class: 'input', required: true, maxlength: 500, 'aria-label': t('ops.dead_letter.lost_reason'), placeholder: t('ops.dead_letter.lost_reason') });
    const declare = button('ops.dead_letter.declare', () => run(async () => {
      await request('/declare-lost', { method: 'POST', body: { ...missing, reason: reason.value } });
      await changed();
    }), false);
    return h('p', { class: 'dead-letter-do' }, t('ops.dead_letter.missing', { first: formatCount(missing.first), last: formatCount(missing.last) }), reason, declare);
  }

  function editor(shown) {
    const { data } = parseExact(shown.payload);
    const text = h('textarea', { class: 'input dead-letter-data', spellcheck: 'false', rows: 10, 'aria-label': t('ops.dead_letter.data') });
    text.value = JSON.stringify(data, null, 2);
    const save = () => run(async () => {
      let body;
      try {
        body = parseExact(text.value);
      } catch (error) {
        throw new Problem(0, { detail: t('ops.dead_letter.no_json', { why: error.message }) });
      }
      await request('/data', { method: 'PUT', body });
      result.replaceChildren(h('p', { class: 'good' }, t('ops.dead_letter.saved')));
      await load();
    });
    return h('section', null, h('h4', null, t('ops.dead_letter.data')), text, h('p', { class: 'dead-letter-do' }, button('ops.dead_letter.save', save, false)),
      shown.original && h('details', null, h('summary', null, t('ops.dead_letter.original')), h('pre', null, pretty(shown.original))));
  }
  return node;
}

/** The differences between the data and the schema of its type. */
function schemaCheck(fit) {
  if (!fit) return undefined;
  const rows = fit.differences.map((one) => h('tr', { 'data-what': one.what },
    h('td', null, h('code', null, one.place || '·')), h('td', null, t(`ops.schema.${one.what}`)), h('td', null, h('code', null, one.expected)), h('td', null, one.found && h('code', null, one.found))));
  const summary = fit.unreadable.length > 0 ? h('p', { class: 'bad' }, t('ops.schema.unreadable'), ' ', h('code', null, fit.unreadable.at(-1))) : h('p', { class: 'good' }, t('ops.schema.readable'));
  return h('section', null, h('h4', null, t('ops.schema')), summary, rows.length > 0 && h('div', { class: 'schema-frame' }, h('table', { class: 'schema' },
    h('thead', null, h('tr', null, ...['place', 'what', 'expected', 'found'].map((name) => h('th', { scope: 'col' }, t(`ops.schema.${name}`))))), h('tbody', null, ...rows))));
}

function causes(list) {
  return h('section', null, h('h4', null, t('ops.dead_letter.causes')), h('ol', { class: 'small' }, list.map((cause) => h('li', null, cause))));
}

/** Exchange, routing key, event id and trace. */
function delivery({ exchange, routing_key: key, event_id: event, traceparent }) {
  const facts = [['exchange', [exchange, key].filter(Boolean).join(' / ')], ['event', event], ['trace', traceparent]];
  return h('dl', { class: 'dead-letter-delivery small' }, facts.filter(([, value]) => value).flatMap(([name, value]) => [h('dt', null, t(`ops.dead_letter.${name}`)), h('dd', null, h('code', null, value))]));
}

/** The result of a dry run. */
function dryRunResult({ outcome, causes: why, events }) {
  return [h('p', { class: outcome === 'takes_effect' || outcome === 'already_done' || outcome === 'ignored' ? 'good' : 'bad' }, t(`ops.dry_run.${outcome}`), why.length > 0 && ['：', why.join(' ← ')]),
    ...events.map((event) => h('p', { class: 'small' }, t('ops.dry_run.publishes'), ' ', h('code', null, `${event.kind} ${event.key}`)))];
}

function pretty(payload) {
  try {
    return JSON.stringify(parseExact(payload), null, 2);
  } catch {
    return payload;
  }
}
