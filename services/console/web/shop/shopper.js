// The shopper's identity: a customer id and a short-lived token that the console mints. The renewal proves, later, that
// this browser is the one the customer id was given to.

import { call, Problem } from '/assets/api.js';
import { lasting, passing } from '/assets/store.js';

const EARLY_MS = 30_000;
let asking;

/** The identity; asks the console for one, or for a fresh token, where needed. */
export async function shopper() {
  const held = passing.get('identity');
  if (held && Date.parse(held.expires_at) - Date.now() > EARLY_MS) return held;
  asking ??= ask().finally(() => { asking = undefined; });
  return asking;
}

async function ask() {
  const renewal = lasting.get('renewal');
  let answer;
  try {
    answer = await call('/session', { method: 'POST', token: renewal });
  } catch (error) {
    // A renewal of other keys, or too old: a new customer then.
    if (!(renewal && error instanceof Problem && [401, 403].includes(error.status))) throw error;
    lasting.remove('renewal');
    answer = await call('/session', { method: 'POST' });
  }
  const { customer_id, token, expires_at } = answer;
  lasting.set('renewal', answer.renewal);
  lasting.set('customer', customer_id);
  passing.set('identity', { customer_id, token, expires_at });
  return { customer_id, token, expires_at };
}

/** Whether this browser was ever given an identity. */
export const knownShopper = () => lasting.get('renewal') !== undefined;

/** Calls a route as the shopper. A token that is refused is asked for anew, once. */
export async function callAsShopper(path, options) {
  const { token } = await shopper();
  try {
    return await call(path, { ...options, token });
  } catch (error) {
    if (!(error instanceof Problem && error.status === 401)) throw error;
    passing.remove('identity');
    return call(path, { ...options, token: (await shopper()).token });
  }
}
