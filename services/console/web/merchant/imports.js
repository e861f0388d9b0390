// The import of product files: preview of what would change, progress, refused rows, and the history.

import { h, toast } from '/assets/dom.js';
import { Problem } from '/assets/api.js';
import { formatCount, formatDateTime, t } from '/assets/i18n.js';
import { callAsStaff, explanation, read } from '/assets/merchant/staff.js';
import { frame } from '/assets/merchant/table.js';

const POLL_MS = 500;
const SHOWN_ROWS = 100;
const UPLOAD_TIMEOUT_MS = 600_000;
/** The services say nothing more for this long after an import has ended. */
const DOWNSTREAM_MS = 60_000;

const TYPES = {
  csv: 'text/csv', txt: 'text/csv', tsv: 'text/tab-separated-values',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  ndjson: 'application/x-ndjson', jsonl: 'application/x-ndjson', json: 'application/x-ndjson',
};

export async function importPage({ container, signal }) {
  const stage = h('section', { class: 'panel', 'aria-live': 'polite' });
  const history = h('section', { class: 'panel' }, h('h2', null, t('import.history')));
  container.replaceChildren(h('h1', null, t('merchant.import')), stage, history);
  const refresh = () => fillHistory(history, signal);
  choose(stage, { signal, refresh });
  await refresh();
}

/** The first step: a file is chosen or dropped. */
function choose(stage, context) {
  const input = h('input', { type: 'file', class: 'sr', accept: Object.keys(TYPES).map((name) => `.${name}`).join(','), onchange: () => take(input.files[0]) });
  const zone = h('label', { class: 'drop' }, input, h('b', null, t('import.drop')), h('span', { class: 'small faint' }, t('import.formats')));
  const mark = (on) => (event) => {
    event.preventDefault();
    zone.classList.toggle('over', on);
  };
  zone.addEventListener('dragover', mark(true));
  zone.addEventListener('dragleave', mark(false));
  zone.addEventListener('drop', (event) => {
    mark(false)(event);
    take(event.dataTransfer.files[0]);
  });
  const take = (file) => { if (file) check(stage, file, {}, context); };
  stage.replaceChildren(zone);
}

const upload = (file, query, signal) => callAsStaff('product-catalog/v1/imports', {
  method: 'POST', file, type: TYPES[file.name.split('.').pop().toLowerCase()] ?? 'text/csv', query, signal, timeout: UPLOAD_TIMEOUT_MS,
});

/** Waits until the import has ended; `show` gets its state meanwhile. */
async function follow(id, signal, show) {
  for (;;) {
    const state = await read(`product-catalog/v1/imports/${id}`, { signal });
    show(state);
    if (state.state !== 'running') return state;
    await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
  }
}

/** The second step: a dry run shows what the file would change. */
async function check(stage, file, settings, context) {
  const { signal } = context;
  stage.replaceChildren(h('p', { class: 'soft' }, t('import.checking', { name: file.name })));
  let found;
  try {
    const { id } = await upload(file, { ...settings, dry_run: true }, signal);
    found = await follow(id, signal, () => {});
  } catch (error) {
    if (!signal.aborted) refused(stage, file, settings, error, context);
    return;
  }
  const start = () => run(stage, file, settings, context);
  const again = (changes) => check(stage, file, { ...settings, ...changes }, context);
  // Without a mode, products that would lose something are refused.
  const modes = found.refused > 0 && !settings.mode && found.format === 'csv'
    ? ['merge', 'replace'].map((mode) => h('button', { class: 'button', type: 'button', onclick: () => again({ mode }) }, t(`import.${mode}`))) : [];
  const nothing = found.accepted.created + found.accepted.updated === 0 && found.counted === 0;
  stage.replaceChildren(h('h2', null, file.name), h('p', { class: 'notice' }, t('import.preview')), summary(found), preview(found), problems(found),
    h('div', { class: 'actions' }, h('button', { class: 'button main', type: 'button', disabled: nothing, onclick: start }, t('import.start')),
      modes, h('button', { class: 'button quiet', type: 'button', onclick: () => choose(stage, context) }, t('import.cancel'))));
}

/** The file as a whole was refused: what is wrong, and what may be done about it. */
function refused(stage, file, settings, error, context) {
  const code = error instanceof Problem ? error.code : undefined;
  const ignore = code === 'invalid_header' && !settings.unknown_columns && h('button', {
    class: 'button', type: 'button', onclick: () => check(stage, file, { ...settings, unknown_columns: 'ignore' }, context),
  }, t('import.ignore'));
  stage.replaceChildren(h('h2', null, t('import.refused_file')), h('p', { class: 'notice bad lines', role: 'alert' }, explanation(error)),
    h('div', { class: 'actions' }, ignore, h('button', { class: 'button quiet', type: 'button', onclick: () => choose(stage, context) }, t('import.cancel'))));
}

/** The third step: the import runs, and its changes reach the other services. */
async function run(stage, file, settings, context) {
  const { signal, refresh } = context;
  const bar = h('progress', { class: 'bar-of', max: '1', value: '0', 'aria-label': file.name });
  const text = h('p', { class: 'soft num' });
  const services = h('ul', { class: 'ribbon' });
  stage.replaceChildren(h('h2', null, file.name), bar, text, services);
  try {
    const { id } = await upload(file, settings, signal);
    const show = ({ processed, received }) => {
      bar.max = Math.max(1, received);
      bar.value = processed;
      text.textContent = t('import.running', { done: formatCount(processed), all: formatCount(received) });
    };
    const done = await follow(id, signal, show);
    text.replaceWith(summary(done));
    services.after(problems(done), h('div', { class: 'actions' },
      done.refused > 0 && h('a', { class: 'button', href: `/api/product-catalog/v1/imports/${id}/refused.csv`, download: '' }, t('import.download')),
      h('button', { class: 'button quiet', type: 'button', onclick: () => choose(stage, context) }, t('import.again'))));
    refresh();
    await followDownstream(id, services, signal);
  } catch (error) {
    if (!signal.aborted) refused(stage, file, settings, error, context);
  }
}

/** Shows how many of the changes each service has applied, until all have applied all. */
async function followDownstream(id, list, signal) {
  const end = Date.now() + DOWNSTREAM_MS;
  while (Date.now() < end && !signal.aborted) {
    const { downstream = [], accepted } = await read(`product-catalog/v1/imports/${id}`, { signal });
    const changes = accepted.created + accepted.updated;
    list.replaceChildren(...downstream.map(({ service, applied }) => h('li', { 'data-status': applied >= changes ? 'applied' : 'pending' },
      h('i', { 'aria-hidden': 'true' }), h('b', null, t(`merchant.service.${service}`)), h('span', { class: 'num' }, `${formatCount(applied)} / ${formatCount(changes)}`))));
    if (downstream.every(({ applied }) => applied >= changes)) return;
    await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
  }
}

function summary({ accepted, refused: count, counted, reason }) {
  const { created, updated, unchanged } = accepted;
  const numbers = { created, updated, unchanged, refused: count };
  const shown = Object.fromEntries(Object.entries(numbers).map(([name, n]) => [name, formatCount(n)]));
  return h('div', null, h('p', { class: 'num' }, h('b', null, t('import.sum', shown)), counted > 0 && ` · ${t('import.counted', { n: formatCount(counted) })}`),
    reason && h('p', { class: 'notice bad' }, reason));
}

function preview({ preview: rows = [] }) {
  const changes = rows.flatMap(({ line, product_id: id, changes: all }) => all.map((change) => ({ line, isNew: id === null, ...change })));
  if (changes.length === 0) return undefined;
  return frame(t('import.preview'), h('table', { class: 'list changes' }, h('tbody', null,
    changes.slice(0, SHOWN_ROWS * 3).map(({ line, isNew, field, from, to }) => h('tr', null,
      h('td', { class: 'small faint num' }, t('import.line', { n: line })), h('th', { scope: 'row', class: 'small' }, field),
      h('td', { class: 'small was' }, isNew ? h('i', null, t('import.new')) : from ?? '–'), h('td', { class: 'small' }, to ?? '–'))))), 'frame tall');
}

function problems({ refusals = [], warnings = [] }) {
  const list = (title, rows, text) => rows.length > 0 && h('details', { open: rows.length <= 10 }, h('summary', null, `${t(title)} (${formatCount(rows.length)})`),
    h('ul', { class: 'rows' }, rows.slice(0, SHOWN_ROWS).map((row) => h('li', { class: 'small' }, h('b', { class: 'num' }, t('import.line', { n: row.line })), ' ', text(row)))));
  return h('div', null, list('import.refusals', refusals, ({ reason }) => reason), list('import.warnings', warnings, ({ message }) => message));
}

async function fillHistory(section, signal) {
  let items;
  try {
    ({ items } = await read('product-catalog/v1/imports', { signal }));
  } catch (error) {
    if (!signal.aborted) toast(explanation(error));
    return;
  }
  const rows = items.map((one) => h('tr', null, h('td', { class: 'num' }, formatDateTime(one.received_at)),
    h('td', null, [t(`import.state.${one.state}`), one.dry_run && t('import.dry')].filter(Boolean).join(' · ')),
    h('td', { class: 'num' }, t('import.sum', { ...one.accepted, refused: one.refused })),
    h('td', null, one.refused > 0 && h('a', { href: `/api/product-catalog/v1/imports/${one.id}/refused.csv`, download: '' }, t('import.download')))));
  const table = rows.length === 0 ? h('p', { class: 'soft' }, t('import.history.none'))
    : frame(t('import.history'), h('table', { class: 'list' }, h('tbody', null, rows)));
  section.replaceChildren(h('h2', null, t('import.history')), table);
}
