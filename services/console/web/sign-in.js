// Who is signed in on a page of staff: with an account, or with a token that was pasted. The renewal token of an account is in a
// cookie, which no script can read.

import { call, Problem } from '/assets/api.js';
import { h } from '/assets/dom.js';
import { t } from '/assets/i18n.js';
import { localStore, sessionStore } from '/assets/storage.js';

const RENEW_BEFORE_EXPIRY_MS = 30_000;
/** A page of another origin cannot send this header. */
const HEADERS = { 'staff-session': '1' };

/**
 * The sign-in of a page. `name` is the key of a pasted token in this tab, `scopes` are what the page needs, and `about` is the key of
 * a text about them.
 */
export function createSignIn({ name, scopes, about }) {
  let pasted = sessionStore.get(name);
  let session;
  let pending;

  function keep({ token, expires_at }) {
    session = { token, expires: Date.parse(expires_at) };
    // Whether to ask for a renewal when a page opens; it is no secret.
    localStore.set('staff', true);
  }

  async function renew() {
    try {
      keep(await call('/v1/staff/session', { method: 'POST', headers: HEADERS }));
    } catch (error) {
      if (error instanceof Problem && [401, 503].includes(error.status)) forget();
      throw error;
    }
  }

  function forget() {
    session = undefined;
    pasted = undefined;
    sessionStore.remove(name);
    localStore.remove('staff');
  }

  const isSignedIn = () => Boolean(session ?? pasted);

  /** The token for a request; renews that of an account before it expires. */
  async function token() {
    if (!session) return pasted;
    if (session.expires - Date.now() < RENEW_BEFORE_EXPIRY_MS) {
      pending ??= renew().finally(() => { pending = undefined; });
      await pending;
    }
    return session?.token;
  }

  /** Continues the session of an earlier page, if there is one. Returns whether someone is signed in. */
  async function restore() {
    if (!isSignedIn() && localStore.get('staff')) await renew().catch((error) => { if (!(error instanceof Problem)) throw error; });
    return isSignedIn();
  }

  async function signIn(email, password, code) {
    keep(await call('/v1/staff/sign-in', { method: 'POST', body: { email, password, code: code || undefined } }));
  }

  function paste(text) {
    // A token pasted from a terminal may have a `Bearer` prefix, quotes or line breaks.
    pasted = text.trim().replace(/^Bearer\s+/i, '').replace(/["'\s]/g, '');
    session = undefined;
    sessionStore.set(name, pasted);
  }

  /** Ends the session. */
  function signOut() {
    if (session) call('/v1/staff/sign-out', { method: 'POST', headers: HEADERS }).catch(() => {});
    forget();
  }

  /** The form; calls `onSignedIn` when someone has signed in. `reason` is the key of a text. */
  function form(onSignedIn, reason) {
    const notice = h('p', { class: 'notice bad', role: 'alert', hidden: !reason }, reason && t(reason));
    const email = h('input', { class: 'input', type: 'email', autocomplete: 'username', required: true, maxlength: '254' });
    const password = h('input', { class: 'input', type: 'password', autocomplete: 'current-password', required: true, maxlength: '256' });
    const code = h('input', { class: 'input', inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: '6', pattern: '[0-9]{6}' });
    const codeField = h('label', { class: 'field', hidden: true }, h('span', null, t('staff.code')), code);
    const button = h('button', { class: 'button main', type: 'submit' }, t('ops.sign_in.submit'));
    const submit = async (event) => {
      event.preventDefault();
      button.disabled = true;
      try {
        await signIn(email.value, password.value, code.value);
        onSignedIn();
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        if (error.code === 'code_required') codeField.hidden = false;
        notice.hidden = false;
        notice.textContent = explanation(error);
        (error.code === 'code_required' ? code : password).focus();
      } finally {
        button.disabled = false;
      }
    };
    const tokenInput = h('input', { class: 'input', type: 'password', autocomplete: 'off', spellcheck: 'false', required: true, maxlength: '4096' });
    const submitToken = (event) => {
      event.preventDefault();
      paste(tokenInput.value);
      if (pasted) onSignedIn();
    };
    return h('section', { class: 'sign-in' }, h('h1', null, t('staff.sign_in')), h('p', { class: 'soft' }, t(about)), notice,
      h('form', { class: 'account', onsubmit: submit }, h('label', { class: 'field' }, h('span', null, t('staff.email')), email), h('label', { class: 'field' }, h('span', null, t('staff.password')), password), codeField, button),
      h('details', null, h('summary', null, t('ops.sign_in')), h('p', { class: 'soft' }, t('ops.sign_in.how')),
        h('pre', { tabindex: '0', role: 'region', 'aria-label': t('ops.token') }, h('code', null, `cargo xtask token ${scopes}`), h('code', null, `docker compose exec -T console token ${scopes}`)),
        h('form', { onsubmit: submitToken }, h('label', { class: 'field' }, h('span', null, t('ops.token')), tokenInput), h('button', { class: 'button', type: 'submit' }, t('ops.sign_in.submit'))),
        h('p', { class: 'small faint' }, t('ops.sign_in.kept'))));
  }

  return { form, isSignedIn, restore, signOut, token };
}

function explanation(error) {
  const known = { code_required: 'staff.code_required', sign_in_failed: 'staff.failed', staff_off: 'staff.off', too_many_sign_ins: 'error.limited' };
  if (error.status === 0) return t('error.offline');
  return known[error.code] ? t(known[error.code]) : error.message;
}
