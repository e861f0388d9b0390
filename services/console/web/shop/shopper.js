// The shopper's identity: a customer id and a short-lived access token, both from the console. The renewal token gives this
// browser a new access token for the same customer.

import { call, Problem } from '/assets/api.js';
import { localStore, sessionStore } from '/assets/storage.js';

const REFRESH_BEFORE_EXPIRY_MS = 30_000;
let pending;

/** The identity; requests one, or a new access token, if needed. */
export async function shopper() {
  const cached = sessionStore.get('identity');
  if (cached && Date.parse(cached.expires_at) - Date.now() > REFRESH_BEFORE_EXPIRY_MS) return cached;
  pending ??= requestIdentity().finally(() => { pending = undefined; });
  return pending;
}

async function requestIdentity() {
  const renewal = localStore.get('renewal');
  let identity;
  try {
    identity = await call('/session', { method: 'POST', token: renewal });
  } catch (error) {
    // The renewal token has expired or was signed with another key: continue as a new customer.
    if (!(renewal && error instanceof Problem && [401, 403].includes(error.status))) throw error;
    localStore.remove('renewal');
    identity = await call('/session', { method: 'POST' });
  }
  const { customer_id, token, expires_at } = identity;
  localStore.set('renewal', identity.renewal);
  localStore.set('customer', customer_id);
  sessionStore.set('identity', { customer_id, token, expires_at });
  return { customer_id, token, expires_at };
}

/** Whether this browser has had an identity before. */
export const knownShopper = () => localStore.get('renewal') !== undefined;

/** Calls a route as the shopper. After a 401 it gets a new token and tries once more. */
export async function callAsShopper(path, options) {
  const { token } = await shopper();
  try {
    return await call(path, { ...options, token });
  } catch (error) {
    if (!(error instanceof Problem && error.status === 401)) throw error;
    sessionStore.remove('identity');
    return call(path, { ...options, token: (await shopper()).token });
  }
}
