// Remembers the place on each page of the history, so that "back" returns to it.

import { sessionStore, uuid } from '/assets/storage.js';

const MAX_PLACES = 50;
const SAVE_DELAY_MS = 150;

let timer;

/** The id of the current entry of the history. */
function entry() {
  if (!history.state?.entry) history.replaceState({ ...history.state, entry: uuid() }, '');
  return history.state.entry;
}

/** The place on the current page: `{ scroll, pages }`, or `undefined` if it is new. `pages` counts the loaded pages of results. */
export const placeHere = () => sessionStore.get('places')?.[entry()];

/** Adds to the place on the current page. */
export function remember(change) {
  const places = sessionStore.get('places') ?? {};
  const here = entry();
  const { [here]: known, ...others } = places;
  const kept = Object.entries(others).slice(1 - MAX_PLACES);
  sessionStore.set('places', { ...Object.fromEntries(kept), [here]: { ...known, ...change } });
}

/** Remembers where the current page is scrolled to, until the next one is shown. */
export function followScroll() {
  history.scrollRestoration = 'manual';
  addEventListener('scroll', () => {
    clearTimeout(timer);
    timer = setTimeout(() => remember({ scroll: scrollY }), SAVE_DELAY_MS);
  }, { passive: true });
}

/** Forgets a scroll position that is not yet remembered: it is of the page before. */
export const leavePage = () => clearTimeout(timer);
