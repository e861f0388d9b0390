// The dead letters: what could not be handled, why, and the two ways to deal with it.

import { h } from '/assets/dom.js';
import { call, Problem } from '/assets/api.js';
import { clock, count, t } from '/assets/words.js';
import { serviceName } from '/assets/ops/services.js';

// How long a second click on "discard" is taken as meant.
const MEANT_MS = 4_000;

/** Wires the panel; `credentials` gives `{ token, signal }` as long as the visitor is inside. */
export function letterBox(credentials, changed) {
  const list = document.getElementById('letters');
  const sum = document.getElementById('letters-sum');
  const rows = new Map();
  let said;

  function row(letter) {
    const trouble = h('p', { class: 'letter-trouble small', role: 'alert' });
    const redrive = h('button', { class: 'button', type: 'button', onclick: () => command(letter, 'redrive', node, trouble) });
    const discard = h('button', { class: 'button quiet', type: 'button', onclick: () => meant(discard, () => command(letter, 'discard', node, trouble)) });
    const blocks = letter.blocks ? h('span', { class: 'letter-blocks' }) : null;
    const detail = h('summary', null);
    const node = h('li', null,
      h('p', { class: 'letter-what' }, h('code', { class: 'letter-reason' }, letter.reason), h('code', null, letter.kind ?? ''), blocks),
      h('p', { class: 'letter-where small faint' }, h('time', { datetime: letter.died_at }, clock(letter.died_at)), h('span'), h('code', null, letter.consumer),
        letter.key && h('code', null, `${letter.source ?? ''} ${letter.key} #${letter.sequence ?? '?'}`), h('span', { class: 'num' })),
      h('p', { class: 'letter-cause' }, letter.causes?.[0] ?? ''),
      h('details', null, detail, letter.causes?.length > 1 && h('ol', { class: 'small' }, letter.causes.slice(1).map((cause) => h('li', null, cause))), h('pre', null, pretty(letter.payload))),
      h('p', { class: 'letter-do' }, redrive, discard), trouble);
    return { node, draw() {
      redrive.textContent = t('ops.letter.redrive');
      if (!discard.dataset.armed) discard.textContent = t('ops.letter.discard');
      detail.textContent = t('ops.letter.more');
      if (blocks) blocks.textContent = t('ops.letter.blocks');
      const [service, tried] = node.querySelectorAll('.letter-where > span');
      service.textContent = serviceName(letter.service);
      tried.textContent = t('ops.letter.tried', { n: count(letter.attempts) });
    } };
  }

  /** A letter that is discarded is gone for good: the button asks first, by changing its words. */
  function meant(button, act) {
    if (button.dataset.armed) return act();
    button.dataset.armed = 'yes';
    button.textContent = t('ops.letter.sure');
    setTimeout(() => { delete button.dataset.armed; draw(); }, MEANT_MS);
  }

  async function command(letter, verb, node, trouble) {
    const buttons = [...node.querySelectorAll('button')];
    buttons.forEach((button) => { button.disabled = true; });
    trouble.textContent = '';
    try {
      await call(`/ops/dead-letters/${letter.service}/${letter.id}/${verb}`, { method: 'POST', ...credentials() });
      await changed();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      trouble.textContent = error.message;
    } finally {
      buttons.forEach((button) => { button.disabled = false; });
    }
  }

  function draw() {
    if (!said) return;
    const silent = said.services.filter((service) => service.pending === null).map((service) => serviceName(service.name));
    sum.textContent = [said.pending > said.items.length && t('ops.letters.more', { n: count(said.items.length), all: count(said.pending) }), silent.length > 0 && t('ops.letters.silent', { names: silent.join('、') })].filter(Boolean).join(' · ');
    rows.forEach((row) => row.draw());
    const wanted = said.items.map((letter) => rows.get(letter.id).node);
    if (wanted.length === 0) list.replaceChildren(h('li', { class: 'none soft' }, t('ops.letters.none')));
    else if (wanted.length !== list.children.length || wanted.some((node, i) => list.children[i] !== node)) list.replaceChildren(...wanted);
  }

  return {
    draw,
    /** Takes what `GET /ops/dead-letters` answers. Letters that are still there keep their rows, opened or not. */
    read(answer) {
      said = answer;
      for (const letter of said.items) if (!rows.has(letter.id)) rows.set(letter.id, row(letter));
      for (const id of rows.keys()) if (!said.items.some((letter) => letter.id === id)) rows.delete(id);
      draw();
    },
    /** How many nobody has dealt with: of one service, or of all; `undefined` where that is not known. */
    pending: (name) => (name ? said?.services.find((service) => service.name === name)?.pending ?? undefined : said?.services.some((service) => service.pending !== null) ? said.pending : undefined),
  };
}

function pretty(payload) {
  try {
    return JSON.stringify(JSON.parse(payload), null, 2);
  } catch {
    return payload;
  }
}
