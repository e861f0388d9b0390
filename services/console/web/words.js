// Two languages, Chinese first. A text is looked up by its key; what the services say comes in both languages already.

import { lasting } from '/assets/store.js';

const WORDS = {
  zh: {
    skip: '跳到内容', brand: '拾选', nav: '主导航', orders: '订单', cart: '购物车', tagline: '慢慢挑，挑到对的。',
    'search.placeholder': '搜商品、品牌、拼音', 'search.label': '搜索', 'search.suggested': '搜索建议', 'kind.brand': '品牌', 'kind.category': '分类',
    'foot.note': '一间示范商店：五个服务，只靠消息彼此商量。', 'foot.ops': '看它们如何运转',
    'home.trending': '正在热卖', 'home.trending.note': '此刻大家在看、在买的', 'home.for': '为你推荐', 'home.for.note': '从你看过和买过的里来',
    'home.all': '全部商品', 'home.categories': '分类',
    'list.count': '{n} 件商品', 'list.took': '{ms} 毫秒', 'list.for': '“{q}”的结果', 'list.more': '再看一些', 'list.loading': '正在找…',
    'list.none': '没有找到商品', 'list.none.text': '换个说法，或放宽筛选条件。', 'list.clear': '清除筛选', 'list.meant': '你是不是想找',
    'list.filters': '筛选', 'list.sort': '排序',
    'sort.relevance': '相关度', 'sort.popularity': '热度', 'sort.price_asc': '价格从低到高', 'sort.price_desc': '价格从高到低', 'sort.newest': '最新',
    'facet.category': '分类', 'facet.everything': '全部分类', 'facet.brand': '品牌', 'facet.price': '价格', 'facet.in_stock': '只看有货', 'facet.from': '最低', 'facet.to': '最高', 'facet.apply': '应用', 'facet.all': '显示全部 {n} 项',
    'card.from': '{price} 起', 'card.out': '暂时缺货',
    'product.back': '返回', 'product.in_stock': '有货', 'product.low': '仅剩 {n} 件', 'product.out': '暂时缺货', 'product.stock_unknown': '库存查询中', 'product.quantity': '数量',
    'product.add': '加入购物车', 'product.added': '已加入购物车', 'product.facts': '参数', 'product.similar': '看了又看', 'product.companions': '一起购买', 'product.sku': '货号',
    'product.gone': '这件商品不在了', 'product.gone.text': '它可能已经下架。', 'product.archived': '这件商品已下架，仅供查看。', 'product.variant': '款式',
    'qty.less': '减少', 'qty.more': '增加',
    'cart.title': '购物车', 'cart.empty': '购物车还是空的', 'cart.empty.text': '挑到喜欢的，放进来就行。', 'cart.browse': '去逛逛', 'cart.remove': '移除', 'cart.sum': '合计', 'cart.note': '成交价以下单时的商品目录为准。', 'cart.gone': '已下架',
    'checkout.title': '收货信息', 'checkout.recipient': '收货人', 'checkout.phone': '手机号', 'checkout.province': '省 / 直辖市', 'checkout.city': '城市', 'checkout.line1': '详细地址', 'checkout.postal': '邮编',
    'checkout.example': '填入示例地址', 'checkout.place': '提交订单', 'checkout.placing': '正在提交…', 'checkout.pay': '由内置的测试支付渠道付款，不会扣任何钱。',
    'checkout.off': '暂时不能下单', 'checkout.off.text': '控制台没有配置签名密钥（TOKEN_KEY_FILE），所以不能为你签发购物身份。仍可浏览。',
    'order.title': '订单', 'order.live': '实时跟踪中', 'order.done': '已结束', 'order.lost': '连接断开，正在重连', 'order.timeline': '发生了什么', 'order.lines': '商品', 'order.total': '合计', 'order.pay': '立即支付', 'order.cancel': '取消订单', 'order.cancelled': '已请求取消', 'order.paid': '已请求支付', 'order.reason': '原因',
    'order.none': '还没有订单', 'order.none.text': '下单后，可以在这里看它一步步走完。', 'order.mine': '我的订单', 'order.pieces': '{n} 件', 'order.nothing': '等待第一条消息…',
    'status.placed': '已下单', 'status.reserved': '已备货', 'status.confirmed': '已支付', 'status.shipped': '已发货', 'status.delivered': '已送达', 'status.rejected': '未能接单', 'status.payment_failed': '支付失败', 'status.expired': '超时未付', 'status.cancelled': '已取消', 'status.returned': '已退货',
    'error.title': '暂时打不开', 'error.text': '相关服务可能正在启动或重启，其他部分不受影响。', 'error.again': '再试一次', 'error.rail': '推荐暂时不可用', 'error.trace': '追踪号 {id}',
    'error.offline': '连不上商店，请检查网络。', 'error.limited': '请求太频繁，请稍后再试。',

    'ops.title': '运行现场', 'ops.shop': '商店', 'ops.gate': '请出示令牌', 'ops.gate.text': '队列、事件与死信只给有 ops 权限的人看。', 'ops.gate.how': '在项目目录中运行其中一条，把最后一行粘贴到下面：', 'ops.token': '令牌', 'ops.enter': '进入', 'ops.leave': '退出', 'ops.refused': '令牌无效或已过期。', 'ops.forbidden': '这枚令牌没有 ops 权限。', 'ops.kept': '只保存在这个标签页里，关掉就没了。', 'ops.unavailable': '控制台没有配置验证密钥，无法放行。',
    'ops.live': '实时', 'ops.lost': '连接断开，正在重连', 'ops.connecting': '正在连接', 'ops.broker.up': '消息总线已连接', 'ops.broker.down': '消息总线未连接', 'ops.listening': '正在听 {n}/5 个交换机',
    'ops.events': '事件 / 秒', 'ops.messages': '消息 / 秒', 'ops.orders': '订单 / 秒', 'ops.batch': '每条消息的事件数', 'ops.dead': '死信', 'ops.queued': '排队中的消息', 'ops.last_minute': '最近一分钟', 'ops.total': '自打开页面起 {n}',
    'ops.map': '事件流动', 'ops.map.alt': '五个服务围绕消息总线，光点表示正在流动的事件', 'ops.broker': '消息总线', 'ops.per_second': '{n}/秒',
    'ops.services': '服务', 'ops.ready': '就绪', 'ops.not_ready': '未就绪', 'ops.away': '连不上', 'ops.unknown': '未知',
    'ops.log': '事件日志', 'ops.pause': '暂停', 'ops.resume': '继续', 'ops.clear': '清空', 'ops.filter': '筛选：类型、路由键、主题', 'ops.log.empty': '还没有事件流过。', 'ops.log.filtered': '没有符合筛选的事件。', 'ops.held': '已暂停，另有 {n} 条', 'ops.omitted': '另有 {n} 条消息未逐条列出', 'ops.skipped': '浏览器太慢，跳过了 {n} 批', 'ops.log.time': '时间', 'ops.log.exchange': '交换机', 'ops.log.key': '路由键', 'ops.log.type': '类型', 'ops.log.subject': '主题', 'ops.log.count': '事件数', 'ops.undecodable': '无法解读', 'ops.all': '全部',
    'ops.queues': '队列', 'ops.queue.name': '队列', 'ops.queue.depth': '待取', 'ops.queue.consumers': '消费者', 'ops.queue.change': '变化 / 秒', 'ops.queue.arrivals': '到达 / 秒', 'ops.queue.stay': '停留 (毫秒)', 'ops.queue.recent': '近况', 'ops.queues.none': '还没有已知的队列。', 'ops.queues.error': '暂时读不到队列。', 'ops.queue.missing': '尚未建立',
    'ops.letters': '死信', 'ops.letters.none': '没有死信：所有事件都处理好了。', 'ops.letters.groups': '{n} 种原因，共 {all} 封', 'ops.letters.silent': '{names} 没有回答', 'ops.letters.rate': '重新投递每秒至多',
    'ops.group.open': '逐封查看（最新二十封）', 'ops.group.redrive': '全部重新投递', 'ops.group.discard': '全部丢弃', 'ops.group.blocking': '{n} 封阻塞同键后续事件', 'ops.group.redriven': '已投递 {n} 封', 'ops.group.discarded': '已丢弃 {n} 封', 'ops.group.failed': '再次失败 {n} 封', 'ops.group.not_yet': '等待前序 {n} 封',
    'ops.letter.dry': '试运行', 'ops.letter.redrive': '重新投递', 'ops.letter.discard': '丢弃', 'ops.letter.sure': '再点一次，永久丢弃', 'ops.letter.more': '原因与内容', 'ops.letter.blocks': '阻塞同键后续事件', 'ops.letter.edited': '已修改', 'ops.letter.tried': '试过 {n} 次', 'ops.letter.no_event': '不是事件', 'ops.letter.data': '数据', 'ops.letter.save': '保存修改', 'ops.letter.saved': '已保存，原文另存。', 'ops.letter.original': '原文', 'ops.letter.no_json': '不是合法的 JSON：{why}', 'ops.letter.causes': '原因，由外到内', 'ops.letter.exchange': '交换机 / 路由键', 'ops.letter.event': '事件号', 'ops.letter.trace': '追踪',
    'ops.fit': '与类型是否相符', 'ops.fit.readable': '处理程序读得懂。', 'ops.fit.unreadable': '处理程序读不懂：', 'ops.fit.place': '位置', 'ops.fit.what': '问题', 'ops.fit.expected': '应为', 'ops.fit.found': '实为', 'ops.fit.missing': '缺少', 'ops.fit.unknown': '多余', 'ops.fit.wrong_type': '类型不符', 'ops.fit.wrong_value': '取值不符',
    'ops.dry.takes_effect': '试运行成功，未留下任何改动。', 'ops.dry.ignored': '没有处理程序，只会标记为已投递。', 'ops.dry.already_done': '早已生效，只会标记为已投递。', 'ops.dry.not_yet': '还不行，要先处理它前面的', 'ops.dry.fails': '仍会失败', 'ops.dry.says': '会发布',
    'ops.dead.title': '死信', 'ops.dead.none': '没有', 'ops.quiet': '一切就绪', 'ops.noted': '{n} 个服务未就绪',
  },
  en: {
    skip: 'Skip to content', brand: 'Shixuan', nav: 'Main', orders: 'Orders', cart: 'Cart', tagline: 'Take your time. Find the right one.',
    'search.placeholder': 'Search products, brands, pinyin', 'search.label': 'Search', 'search.suggested': 'Suggestions', 'kind.brand': 'Brand', 'kind.category': 'Category',
    'foot.note': 'A demonstration shop: five services that agree by messages alone.', 'foot.ops': 'See them at work',
    'home.trending': 'Trending now', 'home.trending.note': 'What people look at and buy right now', 'home.for': 'For you', 'home.for.note': 'From what you looked at and bought',
    'home.all': 'All products', 'home.categories': 'Categories',
    'list.count': '{n} products', 'list.took': '{ms} ms', 'list.for': 'Results for “{q}”', 'list.more': 'Show more', 'list.loading': 'Looking…',
    'list.none': 'Nothing found', 'list.none.text': 'Try other words, or fewer filters.', 'list.clear': 'Clear filters', 'list.meant': 'Did you mean',
    'list.filters': 'Filters', 'list.sort': 'Sort',
    'sort.relevance': 'Relevance', 'sort.popularity': 'Popularity', 'sort.price_asc': 'Price, low to high', 'sort.price_desc': 'Price, high to low', 'sort.newest': 'Newest',
    'facet.category': 'Category', 'facet.everything': 'All categories', 'facet.brand': 'Brand', 'facet.price': 'Price', 'facet.in_stock': 'In stock only', 'facet.from': 'From', 'facet.to': 'To', 'facet.apply': 'Apply', 'facet.all': 'Show all {n}',
    'card.from': 'from {price}', 'card.out': 'Out of stock',
    'product.back': 'Back', 'product.in_stock': 'In stock', 'product.low': 'Only {n} left', 'product.out': 'Out of stock', 'product.stock_unknown': 'Checking stock', 'product.quantity': 'Quantity',
    'product.add': 'Add to cart', 'product.added': 'Added to your cart', 'product.facts': 'Details', 'product.similar': 'People also viewed', 'product.companions': 'Bought together', 'product.sku': 'SKU',
    'product.gone': 'This product is gone', 'product.gone.text': 'It may no longer be for sale.', 'product.archived': 'No longer for sale; shown for reference.', 'product.variant': 'Variant',
    'qty.less': 'Fewer', 'qty.more': 'More',
    'cart.title': 'Cart', 'cart.empty': 'Your cart is empty', 'cart.empty.text': 'When something is right for you, put it here.', 'cart.browse': 'Look around', 'cart.remove': 'Remove', 'cart.sum': 'Total', 'cart.note': 'You pay the catalogue’s price at the moment you order.', 'cart.gone': 'No longer for sale',
    'checkout.title': 'Delivery', 'checkout.recipient': 'Name', 'checkout.phone': 'Phone', 'checkout.province': 'Province', 'checkout.city': 'City', 'checkout.line1': 'Address', 'checkout.postal': 'Postal code',
    'checkout.example': 'Fill in an example', 'checkout.place': 'Place order', 'checkout.placing': 'Placing…', 'checkout.pay': 'Paid through the built-in test provider: no money moves.',
    'checkout.off': 'Ordering is off', 'checkout.off.text': 'The console has no signing key (TOKEN_KEY_FILE), so it cannot give you a shopper’s identity. You can still look around.',
    'order.title': 'Order', 'order.live': 'Following live', 'order.done': 'Finished', 'order.lost': 'Connection lost, coming back', 'order.timeline': 'What happened', 'order.lines': 'Items', 'order.total': 'Total', 'order.pay': 'Pay now', 'order.cancel': 'Cancel order', 'order.cancelled': 'Cancellation asked for', 'order.paid': 'Payment asked for', 'order.reason': 'Reason',
    'order.none': 'No orders yet', 'order.none.text': 'Place one, and watch it go its way here.', 'order.mine': 'My orders', 'order.pieces': '{n} pieces', 'order.nothing': 'Waiting for the first word…',
    'status.placed': 'Placed', 'status.reserved': 'Reserved', 'status.confirmed': 'Paid', 'status.shipped': 'Shipped', 'status.delivered': 'Delivered', 'status.rejected': 'Rejected', 'status.payment_failed': 'Payment failed', 'status.expired': 'Expired', 'status.cancelled': 'Cancelled', 'status.returned': 'Returned',
    'error.title': 'Not available right now', 'error.text': 'The service behind it may be starting. Everything else goes on.', 'error.again': 'Try again', 'error.rail': 'No recommendations right now', 'error.trace': 'Trace {id}',
    'error.offline': 'The shop cannot be reached. Check your network.', 'error.limited': 'Too many requests. Try again in a moment.',

    'ops.title': 'Live operations', 'ops.shop': 'Shop', 'ops.gate': 'Show a token', 'ops.gate.text': 'Queues, events and dead letters are for those with the scope ops.', 'ops.gate.how': 'Run one of these in the project and paste its last line below:', 'ops.token': 'Token', 'ops.enter': 'Enter', 'ops.leave': 'Leave', 'ops.refused': 'The token is not valid, or no longer.', 'ops.forbidden': 'This token lacks the scope ops.', 'ops.kept': 'Kept in this tab only, gone when you close it.', 'ops.unavailable': 'The console has no key to check tokens with.',
    'ops.live': 'Live', 'ops.lost': 'Connection lost, coming back', 'ops.connecting': 'Connecting', 'ops.broker.up': 'Broker connected', 'ops.broker.down': 'Broker not connected', 'ops.listening': 'hearing {n} of 5 exchanges',
    'ops.events': 'Events / s', 'ops.messages': 'Messages / s', 'ops.orders': 'Orders / s', 'ops.batch': 'Events per message', 'ops.dead': 'Dead letters', 'ops.queued': 'Messages waiting', 'ops.last_minute': 'last minute', 'ops.total': '{n} since you came',
    'ops.map': 'Events as they flow', 'ops.map.alt': 'Five services around the broker; dots are events on their way', 'ops.broker': 'broker', 'ops.per_second': '{n}/s',
    'ops.services': 'Services', 'ops.ready': 'ready', 'ops.not_ready': 'not ready', 'ops.away': 'unreachable', 'ops.unknown': 'unknown',
    'ops.log': 'Event log', 'ops.pause': 'Pause', 'ops.resume': 'Resume', 'ops.clear': 'Clear', 'ops.filter': 'Filter: type, routing key, subject', 'ops.log.empty': 'Nothing has flowed yet.', 'ops.log.filtered': 'Nothing fits the filter.', 'ops.held': 'Paused, {n} more came', 'ops.omitted': '{n} more messages not listed one by one', 'ops.skipped': 'The browser was too slow: {n} bundles skipped', 'ops.log.time': 'Time', 'ops.log.exchange': 'Exchange', 'ops.log.key': 'Routing key', 'ops.log.type': 'Type', 'ops.log.subject': 'Subject', 'ops.log.count': 'Events', 'ops.undecodable': 'undecodable', 'ops.all': 'All',
    'ops.queues': 'Queues', 'ops.queue.name': 'Queue', 'ops.queue.depth': 'Ready', 'ops.queue.consumers': 'Consumers', 'ops.queue.change': 'Change / s', 'ops.queue.arrivals': 'Arrivals / s', 'ops.queue.stay': 'Stay (ms)', 'ops.queue.recent': 'Lately', 'ops.queues.none': 'No queues are known yet.', 'ops.queues.error': 'The queues cannot be read right now.', 'ops.queue.missing': 'not there yet',
    'ops.letters': 'Dead letters', 'ops.letters.none': 'None: every event was handled.', 'ops.letters.groups': '{n} causes, {all} letters', 'ops.letters.silent': '{names}: no answer', 'ops.letters.rate': 'Redrive at most, per second',
    'ops.group.open': 'One by one (the newest twenty)', 'ops.group.redrive': 'Redrive all', 'ops.group.discard': 'Discard all', 'ops.group.blocking': '{n} keep later events of their keys waiting', 'ops.group.redriven': '{n} redriven', 'ops.group.discarded': '{n} discarded', 'ops.group.failed': '{n} failed again', 'ops.group.not_yet': '{n} wait for an earlier one',
    'ops.letter.dry': 'Dry run', 'ops.letter.redrive': 'Redrive', 'ops.letter.discard': 'Discard', 'ops.letter.sure': 'Click again: gone for good', 'ops.letter.more': 'Causes and content', 'ops.letter.blocks': 'later events of the key wait', 'ops.letter.edited': 'edited', 'ops.letter.tried': 'tried {n} times', 'ops.letter.no_event': 'no event', 'ops.letter.data': 'Data', 'ops.letter.save': 'Save', 'ops.letter.saved': 'Saved. The original is kept.', 'ops.letter.original': 'As it came', 'ops.letter.no_json': 'Not valid JSON: {why}', 'ops.letter.causes': 'Causes, outermost first', 'ops.letter.exchange': 'Exchange / routing key', 'ops.letter.event': 'Event id', 'ops.letter.trace': 'Trace',
    'ops.fit': 'Does it fit its type?', 'ops.fit.readable': 'The handler can read it.', 'ops.fit.unreadable': 'The handler cannot read it:', 'ops.fit.place': 'Where', 'ops.fit.what': 'What', 'ops.fit.expected': 'Expected', 'ops.fit.found': 'Found', 'ops.fit.missing': 'missing', 'ops.fit.unknown': 'not known', 'ops.fit.wrong_type': 'wrong type', 'ops.fit.wrong_value': 'wrong value',
    'ops.dry.takes_effect': 'It would take effect. Nothing was changed.', 'ops.dry.ignored': 'Nobody handles it: it would only be marked.', 'ops.dry.already_done': 'It took effect before: it would only be marked.', 'ops.dry.not_yet': 'Not yet: what stands before it comes first', 'ops.dry.fails': 'It would fail again', 'ops.dry.says': 'would say',
    'ops.dead.title': 'Dead letters', 'ops.dead.none': 'none', 'ops.quiet': 'All ready', 'ops.noted': '{n} services not ready',
  },
};

let chosen = lasting.get('lang') === 'en' ? 'en' : 'zh';

/** The language in use: `zh` or `en`. */
export const lang = () => chosen;

/** Its tag for `lang` attributes and for `Intl`. */
export const locale = () => (chosen === 'en' ? 'en' : 'zh-CN');

/** The text of `key`, with `{name}`s filled in. */
export function t(key, values = {}) {
  const text = WORDS[chosen][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Whether `key` has a text. */
export const known = (key) => key in WORDS[chosen];

/** A text that a service gave in one or both languages, or as it is. */
export function local(text) {
  if (text === undefined || text === null) return '';
  if (typeof text !== 'object') return String(text);
  const [first, second] = chosen === 'en' ? [text.en, text.zh] : [text.zh, text.en];
  return first || second || '';
}

/** Writes the texts of everything under `root` that names a key. */
export function translate(root = document) {
  document.documentElement.lang = locale();
  for (const node of root.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll('[data-t-placeholder]')) node.placeholder = t(node.dataset.tPlaceholder);
  for (const node of root.querySelectorAll('[data-t-label]')) node.setAttribute('aria-label', t(node.dataset.tLabel));
}

/** Makes `button` change the language; `then` draws again what was drawn from data. */
export function toggler(button, then) {
  const label = () => {
    button.textContent = chosen === 'en' ? '中文' : 'EN';
    button.lang = chosen === 'en' ? 'zh-CN' : 'en';
  };
  button.addEventListener('click', () => {
    chosen = chosen === 'en' ? 'zh' : 'en';
    lasting.set('lang', chosen);
    label();
    translate();
    then();
  });
  label();
  translate();
}

/** An amount in minor units, as people write it. */
export function price(money) {
  if (money === undefined || money === null) return '';
  const { amount, currency } = typeof money === 'object' ? money : { amount: money, currency: 'CNY' };
  try {
    const format = new Intl.NumberFormat(locale(), { style: 'currency', currency, currencyDisplay: 'narrowSymbol' });
    return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
  } catch {
    return `${amount / 100} ${currency}`;
  }
}

/** A count with the digits grouped. */
export const count = (n) => new Intl.NumberFormat(locale()).format(n);

/** An instant as date and time of day. */
export const moment = (at) => new Date(at).toLocaleString(locale(), { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' });

/** An instant as time of day with milliseconds: what tells two events apart. */
export function clock(at) {
  const date = new Date(at);
  const two = (n) => String(n).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
