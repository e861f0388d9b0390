// The operations page: the sign-in, then live updates of all panels.

import { h } from '/assets/dom.js';
import { call, followEvents, Problem } from '/assets/api.js';
import { createSignIn } from '/assets/sign-in.js';
import { formatCount, t, initLanguageToggle } from '/assets/i18n.js';
import { auditPanel } from '/assets/ops/audit.js';
import { deadLetterPanel } from '/assets/ops/dead-letters.js';
import { eventLog } from '/assets/ops/log.js';
import { flowMap } from '/assets/ops/map.js';
import { queueTable } from '/assets/ops/queues.js';
import { Rates, sparkline } from '/assets/ops/rates.js';
import { SERVICES, serviceName } from '/assets/ops/services.js';

const QUEUES_POLL_MS = 2_000;
const DEAD_LETTERS_POLL_MS = 5_000;

const $ = (id) => document.getElementById(id);

const signedIn = createSignIn({ name: 'ops', scopes: 'ops', about: 'ops.sign_in.text' });
const { token } = signedIn;
const rates = new Rates();
const log = eventLog();
const map = flowMap($('map'), rates);
const queues = queueTable();
const deadLetters = deadLetterPanel(() => ({ token, signal: session?.signal }), () => loadDeadLetters(session?.signal));
const audit = auditPanel(() => ({ token, signal: session?.signal }));
let session;
let health = new Map();
let broker;
let connection = 'connecting';

const tiles = [
  { title: 'ops.events', figure: () => formatRate(rates.now('events')), series: 'events' },
  { title: 'ops.orders', figure: () => formatRate(rates.now('orders')), series: 'orders' },
  { title: 'ops.batch', figure: () => (rates.recent('messages') ? formatRate(rates.recent('events') / rates.recent('messages')) : '–'), note: () => t('ops.total', { n: formatCount(rates.total('events')) }) },
  { title: 'ops.queued', figure: () => queues.waiting(), note: () => queues.note() },
  { title: 'ops.dead_letters', figure: pendingDeadLetters, level: () => (deadLetters.pending() > 0 ? 'bad' : undefined), note: () => (deadLetters.pending() === 0 ? t('ops.dead_letters.zero') : '') },
].map((tile) => {
  const title = h('h2', null);
  const figure = h('p', { class: 'tile-figure num' });
  const chart = tile.series ? sparkline() : undefined;
  const note = h('p', { class: 'tile-note small faint' });
  $('tiles').append(h('div', { class: 'tile' }, title, figure, chart ? chart.node : note));
  return { ...tile, draw() {
    title.textContent = t(tile.title);
    figure.textContent = tile.figure();
    figure.dataset.level = tile.level?.() ?? '';
    if (chart) chart.draw(rates.series(tile.series));
    else note.textContent = tile.note?.() ?? '';
  } };
});

function formatRate(number) {
  return new Intl.NumberFormat(undefined, { maximumFractionDigits: number < 10 ? 1 : 0 }).format(number);
}

function pendingDeadLetters() {
  const pending = deadLetters.pending();
  return pending === undefined ? '–' : formatCount(pending);
}

function drawServices() {
  const impaired = SERVICES.filter((name) => ['degraded', 'not_ready', 'away'].includes(health.get(name)?.status)).length;
  $('services-sum').textContent = health.size === 0 ? '' : impaired === 0 ? t('ops.all_ready') : t('ops.some_not_ready', { n: impaired });
  $('services').replaceChildren(...SERVICES.map((name) => {
    const { status = 'unknown', detail } = health.get(name) ?? {};
    const pending = deadLetters.pending(name);
    return h('li', { 'data-status': status }, h('i', { 'aria-hidden': 'true' }),
      h('p', null, h('b', null, serviceName(name)), h('code', null, name), h('span', { class: 'sr' }, t(`ops.${status}`))),
      h('p', { class: 'pending small num', 'data-some': pending > 0 }, pending === undefined ? h('span', { class: 'faint' }, t('ops.dead_letters'), ' –') : `${t('ops.dead_letters')} ${formatCount(pending)}`),
      h('p', { class: 'reason small' }, status === 'ready' || status === 'unknown' ? '' : [t(`ops.${status}`), detail].filter(Boolean).join('：')));
  }));
  map.setHealth(health);
}

function drawBroker() {
  $('broker').textContent = broker ? [t(broker.connected ? 'ops.broker.up' : 'ops.broker.down'), broker.connected && t('ops.bound', { n: broker.exchanges.length }), broker.reason].filter(Boolean).join(' · ') : '';
  map.setBroker(broker);
}

function draw() {
  tiles.forEach((tile) => tile.draw());
  map.draw();
}

function drawAll() {
  document.title = `${t('ops.title')} · ${t('brand')}`;
  $('live').dataset.state = connection;
  $('live').textContent = session ? t(connection === 'open' ? 'ops.live' : connection === 'lost' ? 'ops.lost' : 'ops.connecting') : '';
  map.updateLabels();
  drawServices();
  drawBroker();
  queues.draw();
  deadLetters.draw();
  audit.draw();
  log.draw();
  draw();
}

function onEvent({ type, data }) {
  const payload = JSON.parse(data);
  if (type === 'flow') {
    rates.add(payload);
    map.animate(payload);
    log.add(payload);
  } else if (type === 'skipped') {
    log.skipped(payload.bundles);
  } else if (type === 'state') {
    health = new Map(payload.services.map((service) => [service.name, service]));
    broker = payload.broker;
    drawServices();
    drawBroker();
  }
}

/** Calls `load` until `signal` aborts, `ms` after each response, while the page is visible. */
async function poll(ms, signal, load) {
  while (!signal.aborted) {
    if (!document.hidden) await load().catch((error) => { if (error instanceof Problem && error.status === 401) signOut('ops.sign_in.invalid'); });
    await new Promise((resolve) => { setTimeout(resolve, ms); });
  }
}

async function loadQueues(signal) {
  try {
    queues.update(await call('/ops/queues', { token, signal }));
    map.setQueues(queues.names());
  } catch (error) {
    if (signal.aborted) return;
    queues.showError();
    throw error;
  }
}

async function loadDeadLetters(signal) {
  const get = (path, query) => call(path, { token, signal, query });
  const [list, groups] = await Promise.all([get('/ops/dead-letters', { limit: 1 }), get('/ops/dead-letters/groups')]);
  if (signal?.aborted) return;
  deadLetters.update(list, groups);
  drawServices();
}

function open() {
  const controller = new AbortController();
  session = controller;
  connection = 'connecting';
  $('sign-in').hidden = true;
  $('dashboard').hidden = false;
  $('sign-out').hidden = false;
  drawAll();
  const { signal } = controller;
  followEvents('/ops/events', { token, signal, onEvent, onState: (state) => { connection = state; drawAll(); } })
    .catch((error) => signOut(errorKey(error)));
  poll(QUEUES_POLL_MS, signal, () => loadQueues(signal));
  poll(DEAD_LETTERS_POLL_MS, signal, () => loadDeadLetters(signal));
  audit.load().catch((error) => {
    // A console without access to the databases has no audits. Other errors show at the start of one.
    if (!(error instanceof Problem) && !signal.aborted) throw error;
  });
  const tick = setInterval(draw, 1_000);
  signal.addEventListener('abort', () => clearInterval(tick), { once: true });
}

function errorKey(error) {
  if (!(error instanceof Problem)) throw error;
  return error.status === 403 ? 'ops.sign_in.forbidden' : error.status === 503 ? 'ops.sign_in.unavailable' : 'ops.sign_in.invalid';
}

function signOut(message) {
  session?.abort();
  session = undefined;
  signedIn.signOut();
  $('dashboard').hidden = true;
  $('sign-out').hidden = true;
  showForm(message);
}

/** Shows the form; `reason` is the key of a text. */
function showForm(reason) {
  $('sign-in').replaceChildren(signedIn.form(open, reason));
  $('sign-in').hidden = false;
  drawAll();
}

$('sign-out').addEventListener('click', () => signOut());
initLanguageToggle($('lang'), () => (session ? drawAll() : showForm()));

if (await signedIn.restore()) open();
else showForm();
