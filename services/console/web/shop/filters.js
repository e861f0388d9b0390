// The filters of the results: category, price with its distribution, brand, attributes and options.

import { h, icon } from '/assets/dom.js';
import { decimals, formatCount, formatPrice, t } from '/assets/i18n.js';

const VISIBLE_VALUES = 8;
/** The parameters of the results that are no filters. */
const NO_FILTERS = ['q', 'sort', 'cursor'];

/** Whether the sheet of a phone is open. It stays open while filters are chosen, each of which shows new results. */
let isSheetOpen = false;
/** The key of the control that was used last: it gets the focus back when the new results are shown. */
let used;

/** The address of the results with some parameters changed; `undefined` removes one. */
export function resultsUrl(params, changes) {
  const next = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name);
    for (const one of [value].flat()) if (one) next.append(name, one);
  }
  return `#/s?${next}`;
}

/** The filters among the parameters: `[{ name, value }]`. */
const chosenFilters = (params) => [...params]
  .filter(([name]) => !NO_FILTERS.includes(name))
  .map(([name, value]) => ({ name, value }));

/** Whether any filter is chosen. */
export const isFiltered = (params) => chosenFilters(params).length > 0;

/** The facets that the results need: the frequent attributes, and each attribute that is filtered by. */
export function wantedFacets(params) {
  const attributes = [...params.keys()].filter((name) => name.startsWith('attr.'));
  return ['category', 'brand', 'price', 'attributes', ...new Set(attributes)].join(',');
}

/** The chosen filters above the results, each with a link that removes it. */
export function chosenChips(params, currency = 'CNY') {
  const chosen = chosenFilters(params);
  if (chosen.length === 0) return undefined;
  const chips = chosen.map(({ name, value }) => {
    const others = params.getAll(name).filter((other) => other !== value);
    return h('li', null, h('a', { class: 'chip', href: resultsUrl(params, { [name]: others }) },
      h('span', { class: 'sr' }, t('filter.remove')), chipText(name, value, currency),
      h('span', { 'aria-hidden': 'true' }, '×')));
  });
  const q = params.get('q');
  const all = h('a', { class: 'small', href: `#/s?${new URLSearchParams(q ? { q } : {})}` }, t('list.clear'));
  return h('ul', { class: 'chosen', 'aria-label': t('list.filters') }, chips, chosen.length > 1 && h('li', null, all));
}

function chipText(name, value, currency) {
  if (name === 'price_min') return `≥ ${formatPrice({ amount: Number(value), currency })}`;
  if (name === 'price_max') return `≤ ${formatPrice({ amount: Number(value), currency })}`;
  if (name === 'in_stock') return t('facet.in_stock');
  return name === 'category' ? value.split('/').pop() : value;
}

/** The filters beside the results; on a narrow screen a button that opens them as a sheet. */
export function filterPanel({ facets, price_range: range, currency = 'CNY', total }, params) {
  const facet = (name) => facets.find((one) => one.name === name)?.values ?? [];
  const others = facets.filter(({ name, values }) => !['category', 'price'].includes(name)
    && (values.length > 0 || params.has(name)));
  const list = h('div', { class: 'facet-list' },
    availability(params), categories(facet('category'), params),
    priceRange(params, { range, currency, buckets: facet('price') }),
    others.map((one) => facetGroup(one, params)));
  list.addEventListener('click', (event) => {
    used = event.target.closest('[data-key]')?.dataset.key;
  });
  if (matchMedia('(min-width: 56rem)').matches) {
    isSheetOpen = false;
    return list;
  }
  return sheet(list, total, chosenFilters(params).length);
}

/** Moves the focus back to the control that led to these results. */
export function restoreFocus(panel) {
  if (used === undefined) return false;
  const again = [...panel.querySelectorAll('[data-key]')].find((node) => node.dataset.key === used);
  used = undefined;
  again?.focus({ preventScroll: true });
  return again !== undefined;
}

function sheet(list, total, chosen) {
  const close = h('button', { class: 'button main wide', type: 'button', onclick: () => dialog.close() },
    t('filter.show', { n: formatCount(total ?? 0) }));
  const dialog = h('dialog', { class: 'sheet', 'aria-label': t('list.filters'), onclose: () => { isSheetOpen = false; } },
    h('div', { class: 'sheet-body' }, list), h('div', { class: 'sheet-foot' }, close));
  // A click beside the sheet closes it.
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  const open = h('button', {
    class: 'button', type: 'button', 'aria-haspopup': 'dialog',
    onclick: () => { isSheetOpen = true; dialog.showModal(); },
  }, icon('M3 6h14M6 10h8M9 14h2'), t('list.filters'), chosen > 0 && h('b', { class: 'count' }, chosen));
  // It can only be shown once it is part of the page.
  if (isSheetOpen) {
    dialog.classList.add('again');
    queueMicrotask(() => { if (dialog.isConnected) dialog.showModal(); });
  }
  return h('div', null, open, dialog);
}

function availability(params) {
  const box = h('input', {
    type: 'checkbox', checked: params.get('in_stock') === 'true', 'data-key': 'in_stock',
    onchange: () => { location.hash = resultsUrl(params, { in_stock: box.checked ? 'true' : undefined }); },
  });
  return h('label', { class: 'check' }, box, t('facet.in_stock'));
}

/** The user enters prices in major units; the API expects minor units. */
function priceRange(params, { range, currency, buckets }) {
  const digits = decimals(currency);
  const unit = 10 ** digits;
  const shown = (name) => (params.has(name) ? Number(params.get(name)) / unit : '');
  const field = (name, label, bound) => h('input', {
    class: 'input num', name, type: 'number', inputmode: 'decimal', min: '0', max: '10000000',
    step: (1 / unit).toFixed(digits), value: shown(name),
    placeholder: bound === undefined ? t(label) : String(Math.round(bound / unit)),
    'aria-label': `${t('facet.price')} ${t(label)}`,
  });
  const low = field('price_min', 'facet.from', range?.min);
  const high = field('price_max', 'facet.to', range?.max);
  const minor = (input) => (input.value === '' ? undefined : String(Math.round(Number(input.value) * unit)));
  const apply = (event) => {
    event.preventDefault();
    location.hash = resultsUrl(params, ordered(minor(low), minor(high)));
  };
  return h('fieldset', null, h('legend', null, t('facet.price')), histogram(buckets, params, currency),
    h('form', { class: 'range', onsubmit: apply }, low, h('span', { 'aria-hidden': 'true' }, '–'), high,
      h('button', { class: 'button', type: 'submit', 'data-key': 'price' }, t('facet.apply'))));
}

/** How many products each range of prices has: a bar per range, which filters by it. */
function histogram(buckets, params, currency) {
  const ranges = buckets.map(({ value, count }) => {
    const [low, end] = value.split('..');
    return { low: Number(low), high: end === '' ? undefined : Number(end) - 1, count };
  });
  if (ranges.length < 2) return undefined;
  const most = Math.max(...ranges.map(({ count }) => count));
  const within = ({ low, high }) => Number(params.get('price_min') ?? 0) <= low
    && (!params.has('price_max') || (high !== undefined && high <= Number(params.get('price_max'))));
  const isChosen = params.has('price_min') || params.has('price_max');
  return h('ul', { class: 'bars' }, ranges.map(({ low, high, count }) => {
    const price = (amount) => formatPrice({ amount, currency });
    const text = high === undefined ? `≥ ${price(low)}` : `${price(low)} – ${price(high + 1)}`;
    const label = t('filter.bar', { range: text, n: formatCount(count) });
    const href = resultsUrl(params, ordered(String(low), high === undefined ? undefined : String(high)));
    const bar = h('i', null);
    bar.style.setProperty('--part', count / most);
    return h('li', null, h('a', {
      href, title: label, 'aria-label': label, 'data-key': `price ${low}`,
      'aria-current': isChosen && within({ low, high }) ? 'true' : undefined,
    }, bar));
  }));
}

/** The price filter; a lowest price above the highest one is exchanged with it. */
function ordered(low, high) {
  const isReversed = low !== undefined && high !== undefined && Number(low) > Number(high);
  return isReversed ? { price_min: high, price_max: low } : { price_min: low, price_max: high };
}

function facetGroup({ name, values }, params) {
  const selected = params.getAll(name);
  const missing = selected.filter((value) => !values.some((one) => one.value === value));
  const options = [...values, ...missing.map((value) => ({ value, count: 0 }))];
  const items = options.map(({ value, count: n }, i) => {
    const on = selected.includes(value);
    const next = on ? selected.filter((other) => other !== value) : [...selected, value];
    const link = facetLink(value, n, resultsUrl(params, { [name]: next }), { on, key: `${name} ${value}` });
    return h('li', { hidden: i >= VISIBLE_VALUES && !on }, link);
  });
  const showAll = () => {
    items.forEach((item) => { item.hidden = false; });
    items[VISIBLE_VALUES]?.querySelector('a').focus();
    rest.remove();
  };
  const rest = h('button', { class: 'button quiet small', type: 'button', onclick: showAll },
    t('facet.all', { n: options.length }));
  const label = name.startsWith('attr.') ? name.slice(5) : t(`facet.${name}`);
  return h('fieldset', null, h('legend', null, label), h('ul', null, items),
    options.length > VISIBLE_VALUES && rest);
}

const facetLink = (text, n, href, { on, key = href } = {}) => h('a', { href, 'aria-current': on ? 'true' : undefined, 'data-key': key },
  h('span', null, text), n > 0 && h('span', { class: 'faint num' }, formatCount(n)));

/** The ancestors of the selected category, the category itself, and its children. */
function categories(values, params) {
  const chosen = params.get('category');
  const steps = chosen ? chosen.split('/') : [];
  const depth = (i) => `depth-${Math.min(i, 2)}`;
  const link = (category, n, on) => facetLink(category.split('/').pop(), n, resultsUrl(params, { category }), { on, key: `category ${category}` });
  const ancestors = steps.map((_, i) => h('li', { class: depth(i) },
    link(steps.slice(0, i + 1).join('/'), 0, i === steps.length - 1)));
  const children = values.map(({ value, count: n }) => h('li', { class: depth(steps.length) }, link(value, n, false)));
  if (ancestors.length + children.length === 0) return undefined;
  const everything = facetLink(t('facet.everything'), 0, resultsUrl(params, { category: undefined }), { key: 'category' });
  return h('fieldset', null, h('legend', null, t('facet.category')),
    h('ul', null, chosen && h('li', null, everything), ancestors, children));
}
