// Requests to the services through the console's proxy: JSON, problems as exceptions, and server-sent events.

import { parseShown } from '/assets/json.js';

/** An RFC 9457 problem, or an unreachable network (`status` 0). */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail ?? body?.title ?? `HTTP ${status}`);
    this.status = status;
    this.code = body?.code;
    this.errors = body?.errors ?? [];
    this.body = body;
    this.traceId = body?.trace_id;
  }
}

const TIMEOUT_MS = 20_000;

/** Calls a route and returns its JSON. */
export const call = async (path, options) => (await request(path, options)).body;

/** The token itself, or what a function returns that gets a fresh one. */
const bearerOf = (token) => (typeof token === 'function' ? token() : token);

/**
 * Calls a route and returns its JSON as `body`, and its `headers`. Empty `query` values are left out; a list repeats the name.
 * The request has a JSON `body`, or a `file` with its `type`.
 */
export async function request(path, { method = 'GET', query, body, file, type, token, headers = {}, signal, timeout = TIMEOUT_MS } = {}) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of [value].flat()) {
      if (one !== undefined && one !== null && one !== '') url.searchParams.append(name, one);
    }
  }
  const limit = AbortSignal.timeout(timeout);
  const init = { method, headers: { accept: 'application/json', ...headers }, signal: signal ? AbortSignal.any([signal, limit]) : limit };
  const bearer = await bearerOf(token);
  if (bearer) init.headers.authorization = `Bearer ${bearer}`;
  if (body !== undefined) {
    init.headers['content-type'] = 'application/json';
    init.body = JSON.stringify(body);
  } else if (file) {
    init.headers['content-type'] = type;
    init.body = file;
  }
  let response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, { code: 'unreachable' });
  }
  const text = await response.text();
  const json = parseJson(text);
  if (!response.ok) throw new Problem(response.status, json);
  return { body: json, headers: response.headers };
}

function parseJson(text) {
  try {
    return parseShown(text);
  } catch {
    return undefined;
  }
}

/**
 * Follows server-sent events with `fetch`, because `EventSource` cannot send an `Authorization` header.
 * Reconnects from the last event id. Ends when `signal` aborts, when `token` is refused, or when `onEvent` returns `false`.
 * `onState` receives `open` and `lost`.
 */
export async function followEvents(path, { token, signal, onEvent, onState = () => {} }) {
  let delay = 500;
  let lastId;
  while (!signal.aborted) {
    try {
      const headers = { accept: 'text/event-stream' };
      const bearer = await bearerOf(token);
      if (bearer) headers.authorization = `Bearer ${bearer}`;
      if (lastId) headers['last-event-id'] = lastId;
      const response = await fetch(path, { headers, signal, cache: 'no-store' });
      if (!response.ok) {
        const problem = new Problem(response.status, parseJson(await response.text()));
        if (response.status < 500 && response.status !== 429) throw problem;
        throw new Error(problem.message);
      }
      onState('open');
      delay = 500;
      for await (const event of parseEvents(response.body)) {
        if (event.id) lastId = event.id;
        if (onEvent(event) === false) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem) throw error;
    }
    onState('lost');
    await sleep(delay * (0.75 + Math.random() / 2), signal);
    delay = Math.min(delay * 2, 10_000);
  }
}

function sleep(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

/** Parses a `text/event-stream` body. */
async function* parseEvents(body) {
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
