// Who is visiting, and what they do: sent in small batches to behavior-analytics.

import { lasting, passing, uuid } from '/assets/store.js';

const BATCH = 20;
const BOUND = 200;
const LINGER_MS = 2_000;
const SESSION_MS = 30 * 60_000;

/** The visitor, the same for as long as the browser remembers. */
export function visitor() {
  let id = lasting.get('visitor');
  if (!id) lasting.set('visitor', (id = uuid()));
  return id;
}

/** The visit: ends with the tab, or after half an hour without an event. */
function session() {
  const now = Date.now();
  const old = passing.get('session');
  const id = old && now - old.at < SESSION_MS ? old.id : uuid();
  passing.set('session', { id, at: now });
  return id;
}

let waiting = [];
let timer;
let failures = 0;

/** Notes one event: `type` and `properties` as the contract of `POST /v1/events` has them. */
export function note(type, { product_id, ...properties } = {}) {
  const event = { event_id: uuid(), type, visitor_id: visitor(), session_id: session(), occurred_at: new Date().toISOString(), properties };
  if (product_id) event.product_id = product_id;
  waiting.push(event);
  // Bounded: when nobody takes the events, the oldest are given up.
  if (waiting.length > BOUND) waiting = waiting.slice(-BOUND);
  if (waiting.length >= BATCH && failures === 0) send();
  else plan(LINGER_MS);
}

function plan(ms) {
  timer ??= setTimeout(send, ms);
}

async function send() {
  clearTimeout(timer);
  timer = undefined;
  const batch = waiting.splice(0, BATCH);
  if (batch.length === 0) return;
  const again = () => {
    failures += 1;
    waiting = [...batch, ...waiting].slice(-BOUND);
    plan(Math.min(60_000, LINGER_MS * 2 ** failures));
  };
  try {
    const response = await fetch('/api/behavior-analytics/v1/events', {
      method: 'POST', keepalive: true, signal: AbortSignal.timeout(10_000),
      headers: { 'content-type': 'application/json' }, body: JSON.stringify(batch),
    });
    // What was refused for what it is will be refused again: only a busy or absent service is asked once more. An event
    // sent twice counts once, by its id.
    if (response.status >= 500 || response.status === 429) return again();
    failures = 0;
    if (waiting.length) plan(LINGER_MS);
  } catch {
    again();
  }
}

addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden') send();
});
