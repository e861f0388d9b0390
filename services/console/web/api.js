// Talking to the services through the console's proxy: JSON in and out, problems as exceptions, events as they come.

/** An RFC 9457 answer, or the silence of a network that is away (`status` 0). */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail ?? body?.title ?? `HTTP ${status}`);
    this.status = status;
    this.code = body?.code;
    this.errors = body?.errors ?? [];
    this.traceId = body?.trace_id;
  }
}

const DEADLINE_MS = 20_000;

/** Calls a route and gives its JSON. `query` values that are empty are left out; lists repeat the name. */
export async function call(path, { method = 'GET', query, body, token, headers = {}, signal, deadline = DEADLINE_MS } = {}) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of [value].flat()) {
      if (one !== undefined && one !== null && one !== '') url.searchParams.append(name, one);
    }
  }
  const limit = AbortSignal.timeout(deadline);
  const init = { method, headers: { accept: 'application/json', ...headers }, signal: signal ? AbortSignal.any([signal, limit]) : limit };
  if (token) init.headers.authorization = `Bearer ${token}`;
  if (body !== undefined) {
    init.headers['content-type'] = 'application/json';
    init.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, { code: 'unreachable' });
  }
  const text = await response.text();
  const json = parsed(text);
  if (!response.ok) throw new Problem(response.status, json);
  return json;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Follows server-sent events over `fetch`, which can carry an `Authorization` header where `EventSource` cannot.
 * Comes back by itself after a break, from the last id; ends when `signal` aborts, when `token` is refused, or when
 * `onEvent` returns `false`. `onState` hears `open` and `lost`.
 */
export async function follow(path, { token, signal, onEvent, onState = () => {} }) {
  let wait = 500;
  let lastId;
  while (!signal.aborted) {
    try {
      const headers = { accept: 'text/event-stream' };
      const bearer = typeof token === 'function' ? await token() : token;
      if (bearer) headers.authorization = `Bearer ${bearer}`;
      if (lastId) headers['last-event-id'] = lastId;
      const response = await fetch(path, { headers, signal, cache: 'no-store' });
      if (!response.ok) {
        const problem = new Problem(response.status, parsed(await response.text()));
        if (response.status < 500 && response.status !== 429) throw problem;
        throw new Error(problem.message);
      }
      onState('open');
      wait = 500;
      for await (const event of events(response.body)) {
        if (event.id) lastId = event.id;
        if (onEvent(event) === false) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem) throw error;
    }
    onState('lost');
    await pause(wait * (0.75 + Math.random() / 2), signal);
    wait = Math.min(wait * 2, 10_000);
  }
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

/** The events in a body of `text/event-stream`. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let event = { type: 'message', data: [] };
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += value;
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === '') {
          if (event.data.length) yield { type: event.type, id: event.id, data: event.data.join('\n') };
          event = { type: 'message', data: [] };
        } else {
          const colon = line.indexOf(':');
          const name = colon < 0 ? line : line.slice(0, colon);
          const text = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
          if (name === 'event') event.type = text;
          else if (name === 'data') event.data.push(text);
          else if (name === 'id') event.id = text;
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
