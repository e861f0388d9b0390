// User events, sent in batches to behavior-analytics.

import { callAsShopper, shopper } from '/assets/shop/shopper.js';
import { localStore, sessionStore, uuid } from '/assets/storage.js';

const BATCH_SIZE = 20;
const QUEUE_CAPACITY = 200;
const SEND_DELAY_MS = 2_000;
const SESSION_TIMEOUT_MS = 30 * 60_000;

let withoutIdentity = false;

/**
 * The id of the visitor: that of the customer, whose token alone reads the personal list. While the console issues no
 * identities it is a random id, stored in this browser.
 */
async function visitorId() {
  if (!withoutIdentity) {
    try {
      return (await shopper()).customer_id;
    } catch {
      withoutIdentity = true;
    }
  }
  let id = localStore.get('visitor');
  if (!id) localStore.set('visitor', (id = uuid()));
  return id;
}

/** The visitor's id, with the signature of the service. Events without a signature count less. */
async function visitor() {
  const visitor_id = await visitorId();
  const known = localStore.get('signed_visitor');
  if (known?.visitor_id === visitor_id) return known;
  if (withoutIdentity) return { visitor_id };
  try {
    const signed = await callAsShopper('/api/behavior-analytics/v1/visitors', { method: 'POST' });
    localStore.set('signed_visitor', signed);
    return signed;
  } catch {
    return { visitor_id };
  }
}

/** The id of the visit, which ends with the tab or after 30 minutes without an event. */
function sessionId() {
  const now = Date.now();
  const previous = sessionStore.get('session');
  const id = previous && now - previous.at < SESSION_TIMEOUT_MS ? previous.id : uuid();
  sessionStore.set('session', { id, at: now });
  return id;
}

let queue = [];
let timer;
let failures = 0;

/** Queues one event; `type` and `properties` are those of `POST /v1/events`. */
export function track(type, { product_id, ...properties } = {}) {
  const event = { event_id: uuid(), type, session_id: sessionId(), occurred_at: new Date().toISOString(), properties };
  if (product_id) event.product_id = product_id;
  queue.push(event);
  // Bounded: during an outage the oldest events are dropped.
  if (queue.length > QUEUE_CAPACITY) queue = queue.slice(-QUEUE_CAPACITY);
  if (queue.length >= BATCH_SIZE && failures === 0) send();
  else scheduleSend(SEND_DELAY_MS);
}

function scheduleSend(ms) {
  timer ??= setTimeout(send, ms);
}

async function send() {
  clearTimeout(timer);
  timer = undefined;
  const batch = queue.splice(0, BATCH_SIZE);
  if (batch.length === 0) return;
  const retry = () => {
    failures += 1;
    queue = [...batch, ...queue].slice(-QUEUE_CAPACITY);
    scheduleSend(Math.min(60_000, SEND_DELAY_MS * 2 ** failures));
  };
  try {
    const ids = await visitor();
    const sent_at = new Date().toISOString();
    const response = await fetch('/api/behavior-analytics/v1/events', {
      method: 'POST', keepalive: true, signal: AbortSignal.timeout(10_000),
      headers: { 'content-type': 'application/json' }, body: JSON.stringify(batch.map((event) => ({ ...event, ...ids, sent_at }))),
    });
    // Retry only if the service is busy or down; an invalid batch would be refused again. A repeated event counts once, by
    // its id.
    if (response.status >= 500 || response.status === 429) return retry();
    failures = 0;
    if (queue.length) scheduleSend(SEND_DELAY_MS);
  } catch {
    retry();
  }
}

addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden') send();
});
