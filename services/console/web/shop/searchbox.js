// The search box: a combobox as the ARIA practices describe it, with suggestions while typing.

import { h } from '/assets/dom.js';
import { known, t } from '/assets/words.js';
import { suggest } from '/assets/shop/catalog.js';

const REST_MS = 120;

/** Wires the header's search box; `go` is called with the address to go to. `show` sets what the box says. */
export function searchBox(go) {
  const form = document.getElementById('search');
  const input = document.getElementById('q');
  const list = document.getElementById('suggestions');
  let asking = new AbortController();
  let timer;
  let active = -1;
  let suggestions = [];
  let composing = false;

  const options = () => [...list.children];

  function close() {
    asking.abort();
    clearTimeout(timer);
    list.hidden = true;
    list.replaceChildren();
    active = -1;
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
  }

  function activate(index) {
    const all = options();
    if (all.length === 0) return;
    active = (index + all.length) % all.length;
    all.forEach((option, i) => option.setAttribute('aria-selected', String(i === active)));
    input.setAttribute('aria-activedescendant', all[active].id);
    all[active].scrollIntoView({ block: 'nearest' });
  }

  function take({ text, kind, product_id }) {
    const product = kind === 'product' && product_id;
    if (!kind || product) input.value = product ? '' : text;
    close();
    input.blur();
    if (product) go(`#/p/${encodeURIComponent(product_id)}`);
    else if (kind === 'brand' || kind === 'category') go(`#/s?${new URLSearchParams({ [kind]: text })}`);
    else go(text.trim() ? `#/s?${new URLSearchParams({ q: text.trim() })}` : '#/');
  }

  async function ask() {
    const q = input.value.trim();
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    if (!q) return close();
    let found = [];
    try {
      found = await suggest(q, signal);
    } catch {
      // Suggestions are a help, not a need: without them one types to the end.
    }
    if (signal.aborted || document.activeElement !== input) return;
    active = -1;
    input.removeAttribute('aria-activedescendant');
    suggestions = found.slice(0, 8);
    list.replaceChildren(...suggestions.map((suggestion, i) =>
      h('li', { id: `suggestion-${i}`, role: 'option', 'aria-selected': 'false', onpointerdown: (event) => { event.preventDefault(); take(suggestion); } },
        h('span', null, emphasised(suggestion.text, q)), known(`kind.${suggestion.kind}`) && h('small', null, t(`kind.${suggestion.kind}`)))));
    list.hidden = suggestions.length === 0;
    input.setAttribute('aria-expanded', String(suggestions.length > 0));
  }

  input.addEventListener('compositionstart', () => { composing = true; });
  input.addEventListener('compositionend', () => { composing = false; plan(); });
  const plan = () => {
    clearTimeout(timer);
    // Half-typed pinyin of an input method is not yet a question.
    if (!composing) timer = setTimeout(ask, REST_MS);
  };
  input.addEventListener('input', plan);
  input.addEventListener('blur', close);
  input.addEventListener('keydown', (event) => {
    if (composing || event.isComposing) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (list.hidden) ask();
      else activate(active < 0 && event.key === 'ArrowUp' ? -1 : active + (event.key === 'ArrowDown' ? 1 : -1));
    } else if (event.key === 'Escape' && !list.hidden) {
      event.preventDefault();
      close();
    }
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    take(active >= 0 ? suggestions[active] : { text: input.value });
  });
  addEventListener('keydown', (event) => {
    const typing = /^(input|textarea|select)$/i.test(event.target.tagName);
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.focus();
      input.select();
    }
  });

  return { show(text) { if (document.activeElement !== input) input.value = text; } };
}

/** The part that was typed is quiet, what the suggestion adds is strong. */
function emphasised(text, q) {
  const at = text.toLowerCase().indexOf(q.toLowerCase());
  if (at < 0) return [h('b', null, text)];
  return [h('b', null, text.slice(0, at)), text.slice(at, at + q.length), h('b', null, text.slice(at + q.length))];
}
