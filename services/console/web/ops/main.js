// The live operations page: lets in who shows a token, then hands what the console says to the parts of the page.

import { h } from '/assets/dom.js';
import { call, follow, Problem } from '/assets/api.js';
import { passing } from '/assets/store.js';
import { count, t, toggler } from '/assets/words.js';
import { letterBox } from '/assets/ops/letters.js';
import { eventLog } from '/assets/ops/log.js';
import { flowMap } from '/assets/ops/map.js';
import { queueTable } from '/assets/ops/queues.js';
import { Rates, sparkline } from '/assets/ops/rates.js';
import { SERVICES, serviceName } from '/assets/ops/services.js';

const QUEUES_EVERY_MS = 2_000;
const LETTERS_EVERY_MS = 5_000;

const $ = (id) => document.getElementById(id);

const rates = new Rates();
const log = eventLog();
const map = flowMap($('map'), rates);
const queues = queueTable();
const letters = letterBox(() => ({ token, signal: inside?.signal }), () => readLetters(inside?.signal));
let inside;
let token;
let health = new Map();
let broker;
let connection = 'connecting';

const tiles = [
  { title: 'ops.events', figure: () => shown(rates.now('events')), series: 'events' },
  { title: 'ops.orders', figure: () => shown(rates.now('orders')), series: 'orders' },
  { title: 'ops.batch', figure: () => (rates.recent('messages') ? shown(rates.recent('events') / rates.recent('messages')) : '–'), note: () => t('ops.total', { n: count(rates.total('events')) }) },
  { title: 'ops.queued', figure: () => queues.waiting(), note: () => queues.note() },
  { title: 'ops.dead', figure: deadFigure, mood: () => (letters.pending() > 0 ? 'bad' : undefined), note: () => (letters.pending() === 0 ? t('ops.dead.none') : '') },
].map((tile) => {
  const title = h('h2', null);
  const figure = h('p', { class: 'tile-figure num' });
  const chart = tile.series ? sparkline() : undefined;
  const note = h('p', { class: 'tile-note small faint' });
  $('tiles').append(h('div', { class: 'tile' }, title, figure, chart ? chart.node : note));
  return { ...tile, draw() {
    title.textContent = t(tile.title);
    figure.textContent = tile.figure();
    figure.dataset.mood = tile.mood?.() ?? '';
    if (chart) chart.draw(rates.series(tile.series));
    else note.textContent = tile.note?.() ?? '';
  } };
});

function shown(number) {
  return new Intl.NumberFormat(undefined, { maximumFractionDigits: number < 10 ? 1 : 0 }).format(number);
}

function deadFigure() {
  const pending = letters.pending();
  return pending === undefined ? '–' : count(pending);
}

function drawServices() {
  const notReady = SERVICES.filter((name) => ['not_ready', 'away'].includes(health.get(name)?.status)).length;
  $('services-sum').textContent = health.size === 0 ? '' : notReady === 0 ? t('ops.quiet') : t('ops.noted', { n: notReady });
  $('services').replaceChildren(...SERVICES.map((name) => {
    const { status = 'unknown', detail } = health.get(name) ?? {};
    const pending = letters.pending(name);
    return h('li', { 'data-status': status }, h('i', { 'aria-hidden': 'true' }),
      h('p', null, h('b', null, serviceName(name)), h('code', null, name), h('span', { class: 'sr' }, t(`ops.${status}`))),
      h('p', { class: 'dead small num', 'data-some': pending > 0 }, pending === undefined ? h('span', { class: 'faint' }, t('ops.dead.title'), ' –') : `${t('ops.dead.title')} ${count(pending)}`),
      h('p', { class: 'why small' }, status === 'ready' || status === 'unknown' ? '' : [t(`ops.${status}`), detail].filter(Boolean).join('：')));
  }));
  map.health(health);
}

function drawBroker() {
  $('broker').textContent = broker ? [t(broker.connected ? 'ops.broker.up' : 'ops.broker.down'), broker.connected && t('ops.listening', { n: broker.exchanges.length }), broker.reason].filter(Boolean).join(' · ') : '';
  map.broker(broker);
}

function draw() {
  tiles.forEach((tile) => tile.draw());
  map.draw();
}

function drawAll() {
  document.title = `${t('ops.title')} · ${t('brand')}`;
  $('live').dataset.state = connection;
  $('live').textContent = inside ? t(connection === 'open' ? 'ops.live' : connection === 'lost' ? 'ops.lost' : 'ops.connecting') : '';
  map.rename();
  drawServices();
  drawBroker();
  queues.draw();
  letters.draw();
  log.draw();
  draw();
}

function heard({ type, data }) {
  const said = JSON.parse(data);
  if (type === 'flow') {
    rates.add(said);
    map.flow(said);
    log.flow(said);
  } else if (type === 'skipped') {
    log.skipped(said.bundles);
  } else if (type === 'state') {
    health = new Map(said.services.map((service) => [service.name, service]));
    broker = said.broker;
    drawServices();
    drawBroker();
  }
}

/** Asks again and again, a while after each answer, as long as the visitor is inside and looks at the page. */
async function every(ms, signal, ask) {
  while (!signal.aborted) {
    if (!document.hidden) await ask().catch((error) => { if (error instanceof Problem && error.status === 401) leave('ops.refused'); });
    await new Promise((resolve) => { setTimeout(resolve, ms); });
  }
}

async function readQueues(signal) {
  try {
    queues.read(await call('/ops/queues', { token, signal }));
    map.queues(queues.names());
  } catch (error) {
    if (signal.aborted) return;
    queues.failed();
    throw error;
  }
}

async function readLetters(signal) {
  const ask = (path, query) => call(path, { token, signal, query });
  const [answer, groups] = await Promise.all([ask('/ops/dead-letters', { limit: 1 }), ask('/ops/dead-letters/groups')]);
  if (signal?.aborted) return;
  letters.read(answer, groups);
  drawServices();
}

function enter(shown) {
  const stop = new AbortController();
  inside = stop;
  token = shown;
  connection = 'connecting';
  $('gate').hidden = true;
  $('floor').hidden = false;
  $('leave').hidden = false;
  drawAll();
  const { signal } = stop;
  follow('/ops/events', { token, signal, onEvent: heard, onState: (state) => { connection = state; drawAll(); } })
    .catch((error) => leave(refusal(error)));
  every(QUEUES_EVERY_MS, signal, () => readQueues(signal));
  every(LETTERS_EVERY_MS, signal, () => readLetters(signal));
  const tick = setInterval(draw, 1_000);
  signal.addEventListener('abort', () => clearInterval(tick), { once: true });
}

function refusal(error) {
  if (!(error instanceof Problem)) throw error;
  return error.status === 403 ? 'ops.forbidden' : error.status === 503 ? 'ops.unavailable' : 'ops.refused';
}

function leave(trouble) {
  inside?.abort();
  inside = undefined;
  token = undefined;
  passing.remove('ops');
  $('floor').hidden = true;
  $('leave').hidden = true;
  $('gate').hidden = false;
  $('gate-trouble').hidden = !trouble;
  $('gate-trouble').textContent = trouble ? t(trouble) : '';
  drawAll();
  $('token').focus();
}

$('gate-form').addEventListener('submit', (event) => {
  event.preventDefault();
  // Pasted from a terminal, a token may come with the word before it, quotes or line breaks.
  const pasted = $('token').value.trim().replace(/^Bearer\s+/i, '').replace(/["'\s]/g, '');
  $('token').value = '';
  if (!pasted) return;
  passing.set('ops', pasted);
  enter(pasted);
});
$('leave').addEventListener('click', () => leave());
toggler($('lang'), drawAll);

const kept = passing.get('ops');
if (kept) enter(kept);
else {
  $('gate').hidden = false;
  drawAll();
}
