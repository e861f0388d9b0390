// The catalogue has no photographs, so each product gets a generated illustration: a shape for its category, in a colour
// derived from its id.

import { s } from '/assets/dom.js';

// Shapes fit a square of 120 × 120. Tones: `a` body, `b` shade, `c` light, `d` dark accent.
const SHAPES = [
  [/键盘|keyboard/i, [['rect', 'a', 16, 42, 88, 38, 7], ...keys(), ['rect', 'd', 42, 68, 36, 6, 2]]],
  [/鼠标|mouse/i, [['rect', 'a', 40, 24, 40, 72, 20], ['path', 'd', 'M60 24v26', 1], ['rect', 'd', 57, 36, 6, 14, 3]]],
  [/尿|婴|奶瓶|baby|diaper/i, [['rect', 'd', 50, 16, 20, 14, 6], ['rect', 'b', 42, 30, 36, 12, 4], ['rect', 'a', 40, 42, 40, 60, 11], ['path', 'c', 'M48 58h12M48 70h8M48 82h12', 3]]],
  [/音箱|音响|speaker/i, [['rect', 'a', 34, 18, 52, 84, 14], ['circle', 'c', 60, 70, 19], ['circle', 'd', 60, 70, 10], ['circle', 'c', 60, 36, 8], ['circle', 'd', 60, 36, 3.5]]],
  [/帐篷|露营|睡袋|户外|tent|camp|outdoor/i, [['path', 'a', 'M60 26L14 96h92z'], ['path', 'b', 'M60 26l46 70H84z'], ['path', 'd', 'M60 50L44 96h32z'], ['path', 'd', 'M60 26l-5-8M60 26l5-8', 3]]],
  [/耳机|headphone|audio/i, [['path', 'd', 'M28 70V62a32 32 0 0 1 64 0v8', 6], ['rect', 'a', 20, 62, 20, 34, 9], ['rect', 'a', 80, 62, 20, 34, 9], ['rect', 'b', 34, 62, 6, 34, 3], ['rect', 'b', 80, 62, 6, 34, 3]]],
  [/手机|平板|phone|tablet/i, [['rect', 'a', 38, 18, 44, 84, 9], ['rect', 'c', 43, 26, 34, 62, 3], ['circle', 'd', 60, 95, 3]]],
  [/电视|显示器|投影|monitor|tv|display/i, [['rect', 'a', 16, 26, 88, 56, 6], ['rect', 'c', 22, 32, 76, 44, 3], ['path', 'b', 'M50 82h20l4 12H46z']]],
  [/电脑|笔记本电脑|laptop|computer|pc/i, [['rect', 'a', 26, 28, 68, 48, 6], ['rect', 'c', 32, 34, 56, 36, 3], ['path', 'b', 'M14 80h92l-6 10H20z']]],
  [/相机|摄影|镜头|camera/i, [['rect', 'a', 18, 40, 84, 52, 9], ['path', 'b', 'M44 40l5-10h22l5 10z'], ['circle', 'c', 60, 66, 20], ['circle', 'd', 60, 66, 12], ['circle', 'c', 56, 62, 3]]],
  [/手表|腕表|手环|钟|watch|clock/i, [['rect', 'b', 48, 14, 24, 92, 6], ['circle', 'a', 60, 60, 27], ['circle', 'c', 60, 60, 20], ['path', 'd', 'M60 48v12l8 6', 3]]],
  [/灯|照明|lamp|light/i, [['path', 'a', 'M38 22h44l12 36H26z'], ['rect', 'd', 57, 58, 6, 34, 3], ['rect', 'b', 38, 92, 44, 7, 3.5]]],
  [/椅|沙发|凳|chair|sofa|stool/i, [['rect', 'a', 36, 20, 48, 44, 12], ['rect', 'b', 30, 62, 60, 14, 7], ['path', 'd', 'M38 76l-5 26M82 76l5 26', 4]]],
  [/桌|柜|架|收纳|家具|desk|table|shelf|storage|furniture/i, [['rect', 'a', 18, 44, 84, 12, 4], ['rect', 'b', 26, 56, 26, 20, 3], ['path', 'd', 'M24 56v42M96 56v42', 4], ['circle', 'c', 39, 66, 2.5]]],
  [/床|枕|被|毯|家纺|毛巾|bed|pillow|textile|towel/i, [['rect', 'a', 20, 46, 80, 44, 16], ['rect', 'c', 28, 34, 38, 28, 12], ['path', 'b', 'M20 74h80v6a14 14 0 0 1-14 14H34a14 14 0 0 1-14-14z']]],
  [/杯|咖啡|茶|壶|cup|mug|coffee|tea|kettle/i, [['path', 'a', 'M30 40h52v30a22 22 0 0 1-22 22h-8a22 22 0 0 1-22-22z'], ['path', 'b', 'M82 48h6a11 11 0 0 1 0 24h-6', 6], ['path', 'd', 'M46 22q-5 6 0 12M62 22q-5 6 0 12', 3]]],
  [/锅|厨|餐|刀|碗|kitchen|pan|pot|knife|cook/i, [['path', 'a', 'M22 54h62v22a18 18 0 0 1-18 18H40a18 18 0 0 1-18-18z'], ['rect', 'd', 84, 56, 26, 8, 4], ['rect', 'b', 18, 46, 70, 9, 4.5], ['circle', 'd', 53, 40, 5]]],
  [/鞋|靴|shoe|boot|sneaker/i, [['path', 'a', 'M20 44q10 8 20 0l8-4q8 22 42 26 14 2 14 16v4H20z'], ['rect', 'd', 18, 84, 88, 9, 4.5], ['path', 'c', 'M48 52l9-5M54 60l9-6', 3]]],
  [/包|箱|bag|backpack|luggage|suitcase/i, [['path', 'd', 'M44 40v-8a16 16 0 0 1 32 0v8', 5], ['rect', 'a', 26, 38, 68, 60, 14], ['rect', 'b', 36, 64, 48, 26, 7], ['rect', 'c', 54, 60, 12, 9, 3]]],
  [/帽|围巾|手套|hat|scarf|glove/i, [['path', 'a', 'M30 70a30 34 0 0 1 60 0z'], ['rect', 'b', 22, 68, 76, 14, 7], ['circle', 'd', 60, 32, 6]]],
  [/裤|裙|trouser|pants|jean|skirt/i, [['path', 'a', 'M38 18h44l8 84H68l-8-52-8 52H30z'], ['rect', 'b', 38, 18, 44, 10, 2], ['circle', 'c', 60, 23, 2.5]]],
  [/衣|衫|服|外套|羽绒|shirt|jacket|coat|cloth|apparel|wear/i, [['path', 'a', 'M44 22q16 12 32 0l26 18-10 20-12-6v46H40V54l-12 6-10-20z'], ['path', 'b', 'M44 22q16 12 32 0l-4-2q-12 8-24 0z'], ['path', 'd', 'M60 34v66', 1.5]]],
  [/书|文具|笔|本|纸|book|station|pen|paper/i, [['path', 'a', 'M24 28h58a8 8 0 0 1 8 8v60H32a8 8 0 0 1-8-8z'], ['rect', 'c', 30, 88, 60, 8, 2], ['rect', 'c', 40, 42, 36, 5, 2], ['rect', 'c', 40, 53, 24, 5, 2], ['path', 'd', 'M78 28v26l-6-5-6 5V28z']]],
  [/玩具|积木|游戏|母婴|toy|game|puzzle/i, [['rect', 'a', 22, 58, 36, 36, 6], ['rect', 'b', 62, 58, 36, 36, 6], ['path', 'd', 'M60 18l20 34H40z'], ['circle', 'c', 80, 76, 9]]],
  [/美妆|护肤|修护|霜|香|洗|个护|beauty|skin|cosmetic|perfume|care/i, [['rect', 'd', 50, 18, 20, 18, 4], ['rect', 'b', 54, 34, 12, 10, 1], ['rect', 'a', 36, 42, 48, 58, 11], ['rect', 'c', 44, 58, 32, 22, 3]]],
  [/食|零食|水果|酒|饮|坚果|糖|food|snack|fruit|drink|wine|grocer/i, [['path', 'a', 'M60 42c-10-10-36-6-34 22 1 22 18 36 26 34 5-2 11-2 16 0 8 2 25-12 26-34 2-28-24-32-34-22z'], ['path', 'd', 'M60 42q0-14 10-20', 3.5], ['path', 'b', 'M66 30q12-12 24-6-8 14-24 6z'], ['path', 'c', 'M38 58q2-8 10-9', 4]]],
  [/花|园艺|绿植|植物|plant|garden|flower/i, [['path', 'b', 'M60 72Q26 66 30 30q32 4 30 42z'], ['path', 'a', 'M60 72q-4-34 32-44 4 36-32 44z'], ['path', 'd', 'M40 72h40l-6 30H46z']]],
  [/球|运动|健身|骑行|瑜伽|sport|fitness|yoga|ball|bike/i, [['circle', 'a', 60, 60, 38], ['path', 'd', 'M22 60h76M60 22v76M34 32q26 28 0 56M86 32q-26 28 0 56', 2.5]]],
  [/宠|猫|狗|pet|cat\b|dog/i, [['circle', 'a', 60, 74, 22], ['circle', 'b', 34, 52, 10], ['circle', 'b', 52, 36, 10], ['circle', 'b', 72, 38, 10], ['circle', 'b', 88, 56, 10]]],
  [/线|充电|电源|存储|硬盘|数码|cable|charger|power|drive|digital|electronic/i, [['rect', 'a', 34, 34, 52, 64, 12], ['path', 'd', 'M50 34V20M70 34V20', 5], ['path', 'c', 'M64 48L50 70h9l-4 16 15-22h-10z']]],
  [/电器|家电|净化|风扇|吸尘|冰箱|洗衣|appliance|vacuum|fridge|fan\b|washer/i, [['rect', 'a', 32, 18, 56, 84, 9], ['circle', 'c', 60, 66, 21], ['circle', 'd', 60, 66, 12], ['rect', 'b', 40, 26, 24, 7, 3], ['circle', 'b', 78, 30, 4]]],
  [/工具|五金|汽车|车|tool|hardware|car\b|auto/i, [['rect', 'a', 22, 26, 58, 24, 7], ['rect', 'd', 52, 48, 14, 54, 6], ['path', 'b', 'M80 28l20 10-20 10z']]],
];

const FALLBACK = [['rect', 'a', 24, 42, 72, 56, 8], ['path', 'b', 'M24 50l10-22h52l10 22z'], ['rect', 'c', 52, 28, 16, 34, 2]];

function keys() {
  const made = [];
  for (let row = 0; row < 2; row += 1) for (let i = 0; i < 8; i += 1) made.push(['rect', (i + row) % 5 ? 'c' : 'd', 22 + i * 9.7, 48 + row * 10, 7, 7, 2]);
  return made;
}

/** FNV-1a with a final mix. */
function hash(text) {
  let value = 2166136261;
  for (const char of text) value = Math.imul(value ^ char.codePointAt(0), 16777619);
  // Without the mix, ids that differ in one digit would have nearly the same colour.
  value = Math.imul(value ^ (value >>> 16), 2246822507);
  value = Math.imul(value ^ (value >>> 13), 3266489909);
  return (value ^ (value >>> 16)) >>> 0;
}

// Hues of the colour names in variant options; greys are desaturated instead.
const COLOURS = [[/红|red|玫|rose/i, 8], [/橙|orange|橘/i, 28], [/黄|yellow|金|gold|米|卡其/i, 46], [/绿|green|薄荷|mint/i, 140], [/青|teal|cyan/i, 178], [/蓝|blue|navy/i, 214], [/紫|purple|violet/i, 272], [/粉|pink/i, 338], [/棕|brown|咖|驼/i, 26]];
const GREYS = /黑|白|灰|银|black|white|gr[ae]y|silver|透明/i;

/** The illustration of a product: `seed` selects the colour unless `options` name one; `category` and `title` select the shape. */
export function picture({ seed, category = '', title = '', options = {} }) {
  const about = `${category} ${title}`;
  // The most specific words are at the end of the category path, then in the title.
  const words = [...category.split('/').reverse(), title];
  const shape = words.map((word) => SHAPES.find(([pattern]) => pattern.test(word))).find(Boolean)?.[1] ?? FALLBACK;
  const number = hash(seed ?? about);
  const colour = Object.values(options).join(' ');
  const named = COLOURS.find(([pattern]) => pattern.test(colour));
  const svg = s('svg', { class: 'pic', viewBox: '0 0 160 120', preserveAspectRatio: 'xMidYMid slice', 'aria-hidden': 'true', focusable: 'false' },
    s('rect', { class: 'pic-wall', width: 160, height: 120 }),
    s('rect', { class: 'pic-floor', y: 87, width: 160, height: 33 }),
    s('ellipse', { class: 'pic-shadow', cx: 80, cy: 97, rx: 42, ry: 4 }),
    s('g', { transform: 'translate(29 9) scale(.85)' }, shape.map(draw)));
  svg.style.setProperty('--hue', named ? named[1] : number % 360);
  if (!named && GREYS.test(colour)) svg.classList.add('pic-grey');
  return svg;
}

function draw([kind, tone, ...n]) {
  const style = `pic-${tone}`;
  if (kind === 'circle') return s('circle', { class: style, cx: n[0], cy: n[1], r: n[2] });
  if (kind === 'rect') return s('rect', { class: style, x: n[0], y: n[1], width: n[2], height: n[3], rx: n[4] });
  return n[1] ? s('path', { class: `${style} pic-stroke`, d: n[0], 'stroke-width': n[1] }) : s('path', { class: style, d: n[0] });
}
