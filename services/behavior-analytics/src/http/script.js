// Sends user events of a page: in batches, signed, and later if the network is away.
//   <script async src="https://shop.example/v1/script.js"></script>
//   (window.shopEvents ??= []).push(['product_viewed', { product_id: '…' }]);
(() => {
  const script = document.currentScript;
  const base = script.src.replace(/script\.js.*$/, '');
  let consent = script.dataset.consent !== 'false';
  // Without consent nothing is stored in the browser.
  const store = (name, value) => {
    try {
      const key = `shopEvents.${name}`;
      if (value === undefined) return consent ? JSON.parse(localStorage.getItem(key)) : null;
      if (consent && value) localStorage.setItem(key, JSON.stringify(value));
      else localStorage.removeItem(key);
    } catch { return null; }
  };
  const uuid = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  };
  const now = () => new Date().toISOString();
  let queue = store('queue') || [];
  let visitor = store('visitor');
  let delay = 2000;
  let timer;
  let pending;

  // An id that the service signed; a random one if it signs none. Events with it count less.
  const identify = async () => {
    if (!consent) return { visitor_id: 'no-consent' };
    if (!visitor) {
      const answer = await fetch(`${base}visitors`, { method: 'POST' });
      visitor = answer.ok ? await answer.json() : { visitor_id: uuid() };
      store('visitor', visitor);
    }
    return visitor;
  };
  const encode = (batch, ids) => JSON.stringify(batch.map((event) => ({ ...event, ...ids, consent, sent_at: now() })));
  const drop = (batch) => store('queue', (queue = queue.filter((event) => !batch.includes(event))));
  const schedule = (ms) => { timer ||= setTimeout(send, ms); };

  async function send() {
    timer = clearTimeout(timer);
    if (pending || !queue.length) return;
    pending = true;
    const batch = queue.slice(0, 20);
    try {
      const body = encode(batch, await identify());
      const { status } = await fetch(`${base}events`, { method: 'POST', keepalive: true, body });
      if (status === 429 || status >= 500) throw status;
      drop(batch);
      delay = 2000;
    } catch { delay = Math.min(2 * delay, 60000); }
    pending = false;
    if (queue.length) schedule(delay);
  }
  const leave = () => {
    while (queue.length && navigator.onLine) {
      const batch = queue.slice(0, 20);
      const ids = consent ? (visitor ||= { visitor_id: uuid() }) : { visitor_id: 'no-consent' };
      if (!navigator.sendBeacon(`${base}events`, encode(batch, ids))) return;
      drop(batch);
    }
  };
  // A pause of 30 minutes ends a session, so all pages share one id.
  const push = ([type, { product_id, ...properties } = {}]) => {
    queue = [...queue, { event_id: uuid(), type, product_id, session_id: 'web', occurred_at: now(), properties }].slice(-200);
    store('queue', queue);
    schedule(queue.length < 20 ? delay : 0);
  };
  addEventListener('online', () => schedule(0));
  addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && leave());
  const waiting = window.shopEvents || [];
  window.shopEvents = { push, consent: (agreed) => { consent = agreed; if (!agreed) { store('queue', 0); store('visitor', 0); } } };
  waiting.forEach(push);
  schedule(delay);
})();
