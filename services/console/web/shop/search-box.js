// The search box: an ARIA combobox with suggestions while typing.

import { h } from '/assets/dom.js';
import { known, t } from '/assets/i18n.js';
import { suggest } from '/assets/shop/catalog.js';

const TYPING_PAUSE_MS = 120;

/** Sets up the search box in the header. `navigate` receives the address of the result; `show` sets the text of the box. */
export function searchBox(navigate) {
  const form = document.getElementById('search');
  const input = document.getElementById('q');
  const list = document.getElementById('suggestions');
  let pending = new AbortController();
  let timer;
  let active = -1;
  let suggestions = [];
  let composing = false;

  const options = () => [...list.children];

  function close() {
    pending.abort();
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

  function choose({ text, kind, product_id }) {
    const product = kind === 'product' && product_id;
    if (!kind || product) input.value = product ? '' : text;
    close();
    input.blur();
    if (product) navigate(`#/p/${encodeURIComponent(product_id)}`);
    else if (kind === 'brand' || kind === 'category') navigate(`#/s?${new URLSearchParams({ [kind]: text })}`);
    else navigate(text.trim() ? `#/s?${new URLSearchParams({ q: text.trim() })}` : '#/');
  }

  async function requestSuggestions() {
    const q = input.value.trim();
    pending.abort();
    pending = new AbortController();
    const { signal } = pending;
    if (!q) return close();
    let found = [];
    try {
      found = await suggest(q, signal);
    } catch {
      // Search works without suggestions.
    }
    if (signal.aborted || document.activeElement !== input) return;
    active = -1;
    input.removeAttribute('aria-activedescendant');
    suggestions = found.slice(0, 8);
    list.replaceChildren(...suggestions.map((suggestion, i) =>
      h('li', { id: `suggestion-${i}`, role: 'option', 'aria-selected': 'false', onpointerdown: (event) => { event.preventDefault(); choose(suggestion); } },
        h('span', null, highlightCompletion(suggestion.text, q)), known(`kind.${suggestion.kind}`) && h('small', null, t(`kind.${suggestion.kind}`)))));
    list.hidden = suggestions.length === 0;
    input.setAttribute('aria-expanded', String(suggestions.length > 0));
  }

  input.addEventListener('compositionstart', () => { composing = true; });
  input.addEventListener('compositionend', () => { composing = false; schedule(); });
  const schedule = () => {
    clearTimeout(timer);
    // While an input method composes (pinyin, for example), the text is not yet a query.
    if (!composing) timer = setTimeout(requestSuggestions, TYPING_PAUSE_MS);
  };
  input.addEventListener('input', schedule);
  input.addEventListener('blur', close);
  input.addEventListener('keydown', (event) => {
    if (composing || event.isComposing) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (list.hidden) requestSuggestions();
      else activate(active < 0 && event.key === 'ArrowUp' ? -1 : active + (event.key === 'ArrowDown' ? 1 : -1));
    } else if (event.key === 'Escape' && !list.hidden) {
      event.preventDefault();
      close();
    }
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    choose(active >= 0 ? suggestions[active] : { text: input.value });
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

/** Emphasises the part of a suggestion that the user has not typed. */
function highlightCompletion(text, q) {
  const at = text.toLowerCase().indexOf(q.toLowerCase());
  if (at < 0) return [h('b', null, text)];
  return [h('b', null, text.slice(0, at)), text.slice(at, at + q.length), h('b', null, text.slice(at + q.length))];
}
