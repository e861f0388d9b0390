// The flow map: five services around the broker. A dot moves from the publisher to the broker and on to the subscribers.

import { s } from '/assets/dom.js';
import { t } from '/assets/i18n.js';
import { SERVICES, serviceName } from '/assets/ops/services.js';

// Positions for a wide and for a narrow container.
const WIDE = {
  size: [760, 400], hub: [380, 200], node: [176, 58],
  positions: { 'product-catalog': [380, 42], order: [104, 132], inventory: [656, 132], 'search-sync': [190, 346], 'behavior-analytics': [570, 346] },
};
const NARROW = {
  size: [380, 420], hub: [190, 228], node: [168, 58],
  positions: { 'product-catalog': [190, 36], order: [90, 118], inventory: [290, 118], 'search-sync': [90, 368], 'behavior-analytics': [290, 368] },
};
const NARROW_BELOW = 520;
const MAX_PULSES = 48;
const MAX_PER_BATCH = 3;
const TRAVEL_MS = 700;

/** Draws into `container`, with the figures of `rates`. */
export function flowMap(container, rates) {
  const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
  let layout;
  let parts;
  let pulses = 0;
  let subscribers = new Map();
  let lastHealth = new Map();
  let lastBroker;

  function build() {
    layout = container.clientWidth && container.clientWidth < NARROW_BELOW ? NARROW : WIDE;
    const [width, height] = layout.size;
    const [x, y] = layout.hub;
    const wires = new Map();
    const nodes = new Map();
    for (const name of SERVICES) {
      const [nx, ny] = layout.positions[name];
      const ends = { x1: nx, y1: ny, x2: x, y2: y };
      wires.set(name, [s('line', { class: 'wire', ...ends }), s('line', { class: 'wire-glow', ...ends })]);
      nodes.set(name, node(name, nx, ny));
    }
    const layer = s('g', { class: 'pulses' });
    const hub = s('circle', { class: 'hub', cx: x, cy: y, r: 46 });
    const ring = s('circle', { class: 'hub-ring', cx: x, cy: y, r: 46 });
    const hubText = s('text', { class: 'hub-text', x, y: y - 2 });
    const hubRate = s('text', { class: 'hub-rate', x, y: y + 17 });
    const picture = s('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img' }, [...wires.values()].flat(), layer, hub, ring, hubText, hubRate, [...nodes.values()].map((one) => one.group));
    parts = { wires, nodes, layer, hub, ring, hubText, hubRate, picture };
    pulses = 0;
    container.replaceChildren(picture);
    updateLabels();
    setHealth(lastHealth);
    setBroker(lastBroker);
    draw();
  }

  function node(name, x, y) {
    const [width, height] = layout.node;
    const label = s('text', { class: 'node-name', x: x - width / 2 + 32, y: y - 4 });
    const rate = s('text', { class: 'node-rate', x: x + width / 2 - 14, y: y - 4 });
    const group = s('g', { class: 'node', 'data-status': 'unknown' },
      s('rect', { x: x - width / 2, y: y - height / 2, width, height, rx: 14 }),
      s('circle', { class: 'node-dot', cx: x - width / 2 + 18, cy: y - 8, r: 4.5 }),
      label, rate, s('text', { class: 'node-id', x: x - width / 2 + 32, y: y + 15 }, name));
    return { group, label, rate };
  }

  function updateLabels() {
    parts.picture.setAttribute('aria-label', t('ops.map.alt'));
    parts.hubText.textContent = t('ops.broker');
    for (const [name, { label }] of parts.nodes) label.textContent = serviceName(name);
  }

  function setHealth(states) {
    lastHealth = states;
    for (const [name, { group }] of parts.nodes) group.dataset.status = states.get(name)?.status ?? 'unknown';
  }

  function setBroker(state) {
    lastBroker = state;
    parts.hub.toggleAttribute('data-down', state?.connected === false);
  }

  function draw() {
    const per = (n) => t('ops.per_second', { n: n >= 10 ? Math.round(n) : Math.round(n * 10) / 10 });
    parts.hubRate.textContent = per(rates.now('messages'));
    for (const name of SERVICES) {
      const flow = rates.now(`from ${name}`);
      parts.nodes.get(name).rate.textContent = flow > 0 ? per(flow) : '';
      parts.wires.get(name)[1].style.opacity = flow > 0 ? Math.min(.7, .2 + Math.log10(1 + flow) / 5) : 0;
    }
  }

  /** Animates a batch: a few dots per exchange, larger for messages with more events. */
  function animate({ items }) {
    if (reducedMotion.matches || document.hidden) return;
    const sent = new Map();
    for (const item of items) {
      const n = sent.get(item.exchange) ?? 0;
      if (n >= MAX_PER_BATCH || !layout.positions[item.exchange]) continue;
      sent.set(item.exchange, n + 1);
      const radius = Math.min(9, 3 + Math.log2(Math.max(1, item.events)));
      send(layout.positions[item.exchange], layout.hub, radius, n * 120, () => {
        animateRing();
        const aggregate = item.routing_key.split('.')[0];
        for (const service of subscribers.get(aggregate) ?? []) if (layout.positions[service]) send(layout.hub, layout.positions[service], Math.max(2.5, radius * .7), 0);
      });
    }
  }

  function send([x1, y1], [x2, y2], r, delay, arrived) {
    if (pulses >= MAX_PULSES) return;
    pulses += 1;
    const dot = s('circle', { class: 'pulse', r, opacity: 0 });
    const { layer } = parts;
    layer.append(dot);
    const animation = dot.animate([
      { transform: `translate(${x1}px, ${y1}px)`, opacity: 0 },
      { opacity: .9, offset: .2 },
      { opacity: .9, offset: .8 },
      { transform: `translate(${x2}px, ${y2}px)`, opacity: 0 },
    ], { duration: TRAVEL_MS, delay, easing: 'cubic-bezier(.45, .1, .4, 1)', fill: 'backwards' });
    animation.finished.catch(() => {}).finally(() => {
      dot.remove();
      if (layer !== parts.layer) return;
      pulses -= 1;
      arrived?.();
    });
  }

  let ringing = false;
  function animateRing() {
    if (ringing) return;
    ringing = true;
    parts.ring.animate([{ r: '46px', opacity: .6 }, { r: '58px', opacity: 0 }], { duration: 900, easing: 'ease-out' }).finished.catch(() => {}).finally(() => { ringing = false; });
  }

  /** Derives the subscribers from the queue names, `<service>.<aggregate>.<n>`. */
  function setQueues(names) {
    subscribers = new Map();
    for (const name of names) {
      const [, service, aggregate] = /^([^.]+)\.([^.]+)\.\d+$/.exec(name) ?? [];
      if (service) subscribers.set(aggregate, (subscribers.get(aggregate) ?? new Set()).add(service));
    }
  }

  build();
  new ResizeObserver(() => {
    const wanted = container.clientWidth < NARROW_BELOW ? NARROW : WIDE;
    if (container.clientWidth && wanted !== layout) build();
  }).observe(container);
  return { updateLabels, setHealth, setBroker, draw, animate, setQueues };
}
