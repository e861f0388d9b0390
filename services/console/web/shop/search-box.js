// The search box: an ARIA combobox with suggestions while typing.

import { h } from '/assets/dom.js';
import { formatPrice, known, localized, t } from '/assets/i18n.js';
import { cardOf, product, suggest } from '/assets/shop/catalog.js';
import { picture } from '/assets/shop/picture.js';
import { localStore } from '/assets/storage.js';

const TYPING_PAUSE_MS = 120;
const MAX_RECENT = 6;

const recentSearches = () => localStore.get('searches') ?? [];

function rememberSearch(text) {
  const others = recentSearches().filter((other) => other !== text);
  localStore.set('searches', [text, ...others].slice(0, MAX_RECENT));
}

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
    const isProduct = kind === 'product' && product_id;
    if (!kind || kind === 'recent' || isProduct) input.value = isProduct ? '' : text;
    close();
    input.blur();
    if (isProduct) navigate(`#/p/${encodeURIComponent(product_id)}`);
    else if (kind === 'brand' || kind === 'category') navigate(`#/s?${new URLSearchParams({ [kind]: text })}`);
    else if (kind === 'forget') localStore.remove('searches');
    else if (!text.trim()) navigate('#/');
    else {
      rememberSearch(text.trim());
      navigate(`#/s?${new URLSearchParams({ q: text.trim() })}`);
    }
  }

  /** Shows suggestions as options: `{ text, kind, product_id }` with the content of each. */
  function showOptions(shown, content) {
    active = -1;
    input.removeAttribute('aria-activedescendant');
    suggestions = shown;
    list.replaceChildren(...shown.map((suggestion, i) => h('li', {
      id: `suggestion-${i}`, role: 'option', 'aria-selected': 'false',
      onpointerdown: (event) => { event.preventDefault(); choose(suggestion); },
    }, content(suggestion))));
    list.hidden = shown.length === 0;
    input.setAttribute('aria-expanded', String(shown.length > 0));
  }

  /** Shows what was searched for last, while nothing is typed. */
  function showRecent() {
    const recent = recentSearches().map((text) => ({ text, kind: 'recent' }));
    if (recent.length > 0) recent.push({ text: '', kind: 'forget' });
    showOptions(recent, ({ text, kind }) => (kind === 'forget'
      ? h('small', null, t('search.forget')) : [h('span', null, text), h('small', null, t('search.recent'))]));
  }

  async function requestSuggestions() {
    const q = input.value.trim();
    pending.abort();
    pending = new AbortController();
    const { signal } = pending;
    if (!q) return showRecent();
    let found = [];
    try {
      found = await suggest(q, signal);
    } catch {
      // Search works without suggestions.
    }
    if (signal.aborted || document.activeElement !== input) return;
    showOptions(found.slice(0, 8), (suggestion) => suggestionContent(suggestion, q));
  }

  input.addEventListener('compositionstart', () => { composing = true; });
  input.addEventListener('compositionend', () => { composing = false; schedule(); });
  const schedule = () => {
    clearTimeout(timer);
    // While an input method composes (pinyin, for example), the text is not yet a query.
    if (!composing) timer = setTimeout(requestSuggestions, TYPING_PAUSE_MS);
  };
  input.addEventListener('input', schedule);
  input.addEventListener('focus', () => { if (!input.value) showRecent(); });
  input.addEventListener('click', () => { if (!input.value && list.hidden) showRecent(); });
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

/** A suggestion: a product with its picture and price, which are loaded in the background. */
function suggestionContent({ text, kind, product_id: id }, q) {
  const label = h('span', null, highlightCompletion(text, q));
  if (kind !== 'product' || !id) return [label, known(`kind.${kind}`) && h('small', null, t(`kind.${kind}`))];
  const frame = h('i', { class: 'suggestion-pic' });
  const price = h('small', { class: 'num' });
  product(id).then((found) => {
    frame.append(picture({ seed: found.id, category: found.category, title: localized(found.title) }));
    const { price_min: low, price_max: high } = cardOf(found);
    price.textContent = low && high.amount > low.amount ? t('card.from', { price: formatPrice(low) }) : formatPrice(low);
  }).catch(() => {
    // The suggestion is shown without them.
  });
  return [frame, label, price];
}

/** Emphasises the part of a suggestion that the user has not typed. */
function highlightCompletion(text, q) {
  const at = text.toLowerCase().indexOf(q.toLowerCase());
  if (at < 0) return [h('b', null, text)];
  return [h('b', null, text.slice(0, at)), text.slice(at, at + q.length), h('b', null, text.slice(at + q.length))];
}
