// Who is signed in, and requests in their name.

import { call, request, Problem } from '/assets/api.js';
import { t } from '/assets/i18n.js';
import { createSignIn } from '/assets/sign-in.js';

/** A token with fewer scopes can use a part of the pages. */
const signIn = createSignIn({ name: 'merchant', scopes: 'catalog:write stock:write orders:read orders:admin', about: 'merchant.sign_in.text' });
let onSignOut = () => {};

/** Whether someone is signed in; the session of an earlier page; and the form. */
export const { isSignedIn, restore, form: signInForm } = signIn;

/** Ends the session; `reason` is the key of a text. */
export function signOut(reason) {
  signIn.signOut();
  onSignOut(reason);
}

/** Calls `f` with the reason when the token is forgotten. */
export const whenSignedOut = (f) => { onSignOut = f; };

/** Calls a route of a service as the person who is signed in: the JSON as `body`, and the `headers`. */
export async function requestAsStaff(path, options) {
  try {
    return await request(`/api/${path}`, { ...options, token: signIn.token });
  } catch (error) {
    if (error instanceof Problem && error.status === 401) signOut('ops.sign_in.invalid');
    throw error;
  }
}

/** Calls a route of a service, and returns its JSON. */
export const callAsStaff = async (path, options) => (await requestAsStaff(path, options)).body;

/** Reads a route of a service that shows staff more than the public: drafts, for example. */
export const read = (path, options) => call(`/api/${path}`, { ...options, token: signIn.token });

/** Saves the answer of a route as a file. */
export async function download(path, query, name) {
  const url = new URL(`/api/${path}`, location.origin);
  for (const [key, value] of Object.entries(query)) if (value) url.searchParams.set(key, value);
  const response = await fetch(url, { headers: { authorization: `Bearer ${await signIn.token()}` } });
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => undefined));
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** What went wrong, in the words of the shop. */
export function explanation(error) {
  if (!(error instanceof Problem)) throw error;
  if (error.status === 0) return t('error.offline');
  if (error.status === 403) return t('error.forbidden', { scope: error.body?.required_scope ?? error.message });
  if (error.status === 429) return t('error.limited');
  const fields = error.errors.map(({ field, message }) => [field, message].filter(Boolean).join(': '));
  return [error.message, ...fields].join('\n');
}
