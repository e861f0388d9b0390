// The audit of the whole suite: a button, its progress, and the result of the last one.

import { h } from '/assets/dom.js';
import { call, Problem } from '/assets/api.js';
import { formatCount, formatDateTime, t } from '/assets/i18n.js';

const POLL_MS = 1_000;
const INVARIANTS = [1, 2, 3, 4, 5, 6];

/** Sets up the panel; `credentials` returns `{ token, signal }` of the session. */
export function auditPanel(credentials) {
  const $ = (id) => document.getElementById(id);
  const [panel, sum, start, error, list, checked] = ['audit', 'audit-sum', 'audit-start', 'audit-error', 'audit-invariants', 'audit-checked'].map($);
  let audit;
  let following = false;

  const seconds = (ms) => formatCount(Math.round(ms / 1_000));

  function summary() {
    if (!audit) return t('ops.audit.none');
    const values = { n: formatCount(audit.differences), pass: formatCount(audit.passes), s: seconds(audit.elapsed_ms), at: formatDateTime(audit.ended_at ?? audit.started_at) };
    return [t(`ops.audit.${audit.state}`, values), audit.in_flight > 0 && t('ops.audit.in_flight', { n: formatCount(audit.in_flight) })].filter(Boolean).join(' · ');
  }

  function row(number) {
    const { holds, violations, texts = [] } = audit?.invariants.find((found) => found.invariant === number) ?? {};
    const state = holds === undefined ? 'unknown' : holds ? 'holds' : 'violated';
    const more = violations - texts.length;
    return h('li', { 'data-state': state }, h('i', { 'aria-hidden': 'true' }),
      h('p', null, `${number}. ${t(`ops.invariant.${number}`)}`),
      h('p', { class: 'small num audit-verdict' }, state === 'violated' ? t('ops.audit.violations', { n: formatCount(violations) }) : state === 'holds' ? t('ops.audit.holds') : '–'),
      texts.length > 0 && h('ul', { class: 'audit-texts' }, texts.map((text) => h('li', null, text)), more > 0 && h('li', null, t('ops.audit.more', { n: formatCount(more) }))));
  }

  function draw() {
    sum.textContent = summary();
    sum.dataset.state = audit?.state ?? '';
    start.disabled = audit?.state === 'running';
    if (audit?.state === 'failed') error.textContent = audit.reason;
    list.replaceChildren(...INVARIANTS.map(row));
    checked.textContent = Object.entries(audit?.checked ?? {}).map(([name, n]) => `${name} ${formatCount(n)}`).join(' · ');
  }

  function show(shown) {
    audit = shown;
    panel.hidden = false;
    draw();
  }

  /** Shows the audit until it has ended. */
  async function follow() {
    if (following) return;
    following = true;
    const { token, signal } = credentials();
    try {
      while (audit?.state === 'running' && !signal.aborted) {
        await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
        show(await call(`/ops/audits/${audit.id}`, { token, signal }));
      }
    } catch (problem) {
      if (!(problem instanceof Problem)) { if (!signal.aborted) throw problem; } else {
        error.textContent = problem.message;
        // The console was restarted, and has forgotten it.
        if (problem.status === 404) show(undefined);
      }
    } finally {
      following = false;
    }
  }

  start.addEventListener('click', async () => {
    error.textContent = '';
    start.disabled = true;
    try {
      show(await call('/ops/audits', { method: 'POST', ...credentials() }));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      error.textContent = problem.message;
      start.disabled = false;
      return;
    }
    await follow();
  });

  return {
    draw,
    /** Shows the last audit, and follows it if it runs. Without access to the databases the panel stays hidden. */
    async load() {
      const { items } = await call('/ops/audits', credentials());
      show(items[0]);
      await follow();
    },
  };
}
