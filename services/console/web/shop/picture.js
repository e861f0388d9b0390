// The catalogue has no photographs, so each product gets a generated illustration: a shape for its category, in a colour
// derived from its id.

import { h, s } from '/assets/dom.js';

// Shapes fit a square of 120 × 120. Tones: `a` body, `b` shade, `c` light, `d` dark accent.
// The first pattern that fits wins, so a more specific one stands before a more general one.
const SHAPES = [
  // Clothes and bags
  [/T恤|衬衫|卫衣|毛衣|上装|t-?shirt|shirt|sweater|hoodie|\btops?\b/i, [['path', 'a', 'M44 26L18 40l9 20 11-5v45h44V55l11 5 9-20-26-14a16 12 0 0 1-32 0z'], ['path', 'b', 'M44 26a16 12 0 0 0 32 0l-5-3a11 8 0 0 1-22 0z'], ['path', 'c', 'M46 88h28', 3]]],
  [/羽绒服|外套|夹克|大衣|jacket|coat|parka/i, [['path', 'a', 'M46 24L22 38l-6 52h14l4-26v38h52V64l4 26h14l-6-52-24-14z'], ['path', 'b', 'M46 24h28l-5 14H51z'], ['path', 'd', 'M60 38v64', 2.5], ['path', 'c', 'M34 54h22M34 70h22M34 86h22M64 54h22M64 70h22M64 86h22', 2.5]]],
  [/(?<!尿)裤|牛仔|trouser|jeans|pants|shorts/i, [['path', 'a', 'M40 22h40l8 78H68L60 52l-8 48H32z'], ['rect', 'b', 39, 22, 42, 8, 2], ['path', 'd', 'M60 30v20', 2.5]]],
  [/裙|dress|skirt/i, [['path', 'a', 'M48 20h24l-4 26 22 54H30l22-54z'], ['path', 'b', 'M50 44h20l2 7H48z'], ['path', 'c', 'M46 92l6-30M74 92l-6-30', 2.5]]],
  [/袜|sock/i, [['path', 'a', 'M52 20h24v44q0 8-8 14L50 92a13 13 0 0 1-17-19l19-17z'], ['rect', 'b', 51, 20, 26, 11, 3]]],
  [/双肩包|背包|backpack|rucksack/i, [['path', 'd', 'M48 30a12 12 0 0 1 24 0', 5], ['path', 'a', 'M34 46a26 22 0 0 1 52 0v46a10 10 0 0 1-10 10H44a10 10 0 0 1-10-10z'], ['rect', 'b', 42, 68, 36, 26, 7], ['path', 'c', 'M42 54h36', 3], ['rect', 'd', 56, 76, 8, 4, 2]]],
  [/行李箱|拉杆箱|旅行箱|suitcase|luggage/i, [['path', 'd', 'M48 34V20h24v14', 4], ['rect', 'a', 34, 34, 52, 62, 9], ['path', 'b', 'M48 42v46M60 42v46M72 42v46', 3], ['circle', 'd', 44, 100, 4], ['circle', 'd', 76, 100, 4]]],
  [/鞋(?!包)|靴|shoe|boot|sneaker/i, [['path', 'a', 'M18 56q12 8 22-4l6-6q12 18 38 22 20 3 20 16v4H18z'], ['path', 'c', 'M18 88h86v8a4 4 0 0 1-4 4H22a4 4 0 0 1-4-4z'], ['path', 'd', 'M46 62l9-5M54 68l9-5M63 73l8-5', 3], ['path', 'b', 'M18 56q12 8 22-4l3 34H18z']]],
  [/帽|hat\b|\bcap\b/i, [['path', 'a', 'M30 70a30 34 0 0 1 60 0z'], ['rect', 'b', 22, 68, 76, 14, 7], ['circle', 'd', 60, 32, 6]]],
  // Digital
  [/手机壳|保护壳|phone case|phone cover/i, [['path', 'a', 'M46 14h28a12 12 0 0 1 12 12v68a12 12 0 0 1-12 12H46a12 12 0 0 1-12-12V26a12 12 0 0 1 12-12z'], ['rect', 'b', 41, 22, 22, 24, 8], ['circle', 'd', 48, 29, 4], ['circle', 'd', 56, 39, 4], ['path', 'c', 'M44 92h32', 3]]],
  [/充电宝|移动电源|power ?bank/i, [['rect', 'a', 30, 32, 60, 58, 10], ['rect', 'b', 30, 72, 60, 18, 9], ['circle', 'c', 42, 81, 3], ['circle', 'c', 52, 81, 3], ['circle', 'c', 62, 81, 3], ['path', 'c', 'M64 40L52 56h8l-4 11 14-16h-9l3-11z']]],
  [/充电器|充电头|适配器|charger|adapter/i, [['path', 'd', 'M48 34V18M72 34V18', 6], ['rect', 'a', 34, 34, 52, 62, 12], ['rect', 'd', 50, 80, 20, 7, 3.5], ['path', 'c', 'M64 46L50 64h9l-4 12 15-18h-9l3-12z']]],
  [/真无线|耳塞|入耳|earbud|true wireless|earphone/i, [['path', 'a', 'M34 70h52v16a14 14 0 0 1-14 14H48a14 14 0 0 1-14-14z'], ['path', 'b', 'M34 70a26 14 0 0 1 52 0z'], ['circle', 'a', 42, 34, 12], ['rect', 'a', 38, 34, 8, 26, 4], ['circle', 'a', 78, 34, 12], ['rect', 'a', 74, 34, 8, 26, 4], ['circle', 'd', 45, 33, 4], ['circle', 'd', 75, 33, 4]]],
  [/耳机|headphone|headset/i, [['path', 'd', 'M28 70V62a32 32 0 0 1 64 0v8', 6], ['rect', 'a', 20, 62, 20, 34, 9], ['rect', 'a', 80, 62, 20, 34, 9], ['rect', 'b', 34, 62, 6, 34, 3], ['rect', 'b', 80, 62, 6, 34, 3]]],
  [/音箱|音响|speaker/i, [['rect', 'a', 34, 18, 52, 84, 14], ['circle', 'c', 60, 70, 19], ['circle', 'd', 60, 70, 10], ['circle', 'c', 60, 36, 8], ['circle', 'd', 60, 36, 3.5]]],
  [/键盘|keyboard/i, [['rect', 'a', 12, 40, 96, 42, 7], ...keys(), ['rect', 'd', 42, 70, 36, 6, 2]]],
  [/鼠标|mouse/i, [['rect', 'a', 38, 24, 44, 74, 22], ['path', 'd', 'M60 24v30', 2], ['rect', 'd', 57, 36, 6, 14, 3], ['path', 'b', 'M38 58h44', 2]]],
  [/显示器|电视|投影|monitor|television|\btv\b|projector/i, [['rect', 'a', 16, 24, 88, 58, 6], ['rect', 'c', 21, 29, 78, 46, 3], ['path', 'b', 'M52 82h16l3 14H49z'], ['rect', 'd', 40, 95, 40, 5, 2.5]]],
  [/笔记本电脑|轻薄本|游戏本|laptop|notebook computer|ultrabook/i, [['rect', 'a', 28, 26, 64, 50, 6], ['rect', 'c', 33, 31, 54, 39, 3], ['path', 'b', 'M14 78h92l-6 12a5 5 0 0 1-4 2H24a5 5 0 0 1-4-2z'], ['rect', 'd', 50, 80, 20, 4, 2]]],
  [/平板|tablet|ipad/i, [['rect', 'a', 26, 18, 68, 84, 9], ['rect', 'c', 32, 26, 56, 68, 3], ['circle', 'd', 60, 22, 1.5]]],
  [/手机|phone/i, [['rect', 'a', 38, 16, 44, 88, 10], ['rect', 'c', 42, 21, 36, 78, 6], ['rect', 'd', 53, 24, 14, 4, 2]]],
  [/相机|摄影|镜头|camera|lens/i, [['rect', 'a', 18, 40, 84, 52, 9], ['path', 'b', 'M44 40l5-10h22l5 10z'], ['circle', 'c', 60, 66, 20], ['circle', 'd', 60, 66, 12], ['circle', 'c', 56, 62, 3]]],
  [/手表|腕表|手环|watch|\bband\b/i, [['rect', 'b', 47, 12, 26, 96, 7], ['rect', 'a', 34, 34, 52, 52, 15], ['rect', 'd', 40, 40, 40, 40, 10], ['path', 'c', 'M60 50v11l8 6', 3], ['rect', 'a', 86, 52, 5, 14, 2]]],
  [/硬盘|存储|ssd|drive|memory card|storage/i, [['rect', 'a', 28, 34, 64, 54, 8], ['rect', 'c', 36, 42, 30, 16, 3], ['path', 'd', 'M36 76h48', 3], ['circle', 'd', 80, 50, 3]]],
  [/数据线|线缆|cable/i, [['path', 'a', 'M34 88V50a16 16 0 0 1 32 0v20a12 12 0 0 0 24 0V44', 6], ['rect', 'b', 27, 82, 14, 20, 4], ['rect', 'b', 83, 26, 14, 20, 4]]],
  // Appliances
  [/扫地机器人|扫拖|robot vacuum|robotic/i, [['path', 'b', 'M16 76a44 12 0 0 0 88 0v8a44 14 0 0 1-88 0z'], ['path', 'a', 'M60 52a44 18 0 0 1 44 20v5a44 14 0 0 1-88 0v-5a44 18 0 0 1 44-20z'], ['path', 'c', 'M60 56a22 8 0 1 1 0 16 22 8 0 0 1 0-16z'], ['rect', 'd', 50, 60, 20, 5, 2.5]]],
  [/吸尘器|vacuum/i, [['path', 'd', 'M40 92L70 40', 6], ['path', 'a', 'M62 42l16-22 18 10-10 26a10 10 0 0 1-14 5l-7-4a11 11 0 0 1-3-15z'], ['circle', 'c', 80, 42, 8], ['path', 'b', 'M22 90h34a5 5 0 0 1 5 5v5H18v-5z']]],
  [/电饭煲|电饭锅|rice cooker/i, [['path', 'a', 'M24 50h72v34a16 16 0 0 1-16 16H40a16 16 0 0 1-16-16z'], ['path', 'b', 'M24 50a36 20 0 0 1 72 0z'], ['rect', 'd', 52, 24, 16, 8, 4], ['rect', 'c', 42, 62, 36, 22, 5], ['circle', 'd', 52, 73, 4], ['path', 'd', 'M62 70h10M62 77h10', 2.5]]],
  [/冰箱|fridge|refrigerator/i, [['rect', 'a', 36, 16, 48, 88, 7], ['path', 'd', 'M36 50h48', 2], ['path', 'c', 'M44 30v12M44 60v18', 3]]],
  [/洗衣机|washer|washing machine/i, [['rect', 'a', 30, 18, 60, 84, 8], ['circle', 'c', 60, 66, 23], ['circle', 'd', 60, 66, 15], ['rect', 'b', 38, 26, 26, 7, 3], ['circle', 'b', 80, 30, 4]]],
  [/风扇|净化器|空调|\bfan\b|purifier|air condition/i, [['circle', 'a', 60, 50, 32], ['circle', 'c', 60, 50, 25], ['path', 'b', 'M60 50q-4-22 10-22 10 8-10 22zM60 50q20 4 18 16-12 8-18-16zM60 50q-18 14-26 4 0-14 26-4z'], ['circle', 'd', 60, 50, 5], ['path', 'd', 'M60 82v14M44 99h32', 5]]],
  // Home and kitchen
  [/保温杯|水杯|水壶|水瓶|thermos|flask|tumbler|bottle/i, [['rect', 'd', 46, 12, 28, 20, 6], ['rect', 'b', 43, 30, 34, 8, 3], ['path', 'a', 'M42 38h36v56a10 10 0 0 1-10 10H52a10 10 0 0 1-10-10z'], ['path', 'c', 'M51 48v40', 4]]],
  [/炒锅|煎锅|锅|\bwok\b|\bpan\b|\bpot\b/i, [['path', 'a', 'M14 56h72a36 34 0 0 1-36 34 36 34 0 0 1-36-34z'], ['rect', 'b', 12, 50, 76, 8, 4], ['path', 'd', 'M88 54l24-12', 7], ['path', 'c', 'M24 64q4 14 16 20', 3]]],
  [/刀|knife/i, [['path', 'c', 'M14 66L84 34q10 0 10 8L40 74q-14 4-26-8z'], ['path', 'd', 'M84 40l22-12', 9]]],
  [/碗|盘|餐具|bowl|plate|tableware/i, [['path', 'a', 'M22 54h76q0 30-24 38H46q-24-8-24-38z'], ['rect', 'b', 44, 90, 32, 8, 3], ['path', 'c', 'M34 64q3 12 12 18', 3]]],
  [/灯|照明|lamp|lighting/i, [['path', 'a', 'M38 22h44l12 36H26z'], ['rect', 'd', 57, 58, 6, 34, 3], ['rect', 'b', 38, 92, 44, 7, 3.5]]],
  [/椅|沙发|凳|chair|sofa|stool/i, [['rect', 'a', 36, 20, 48, 44, 12], ['rect', 'b', 30, 62, 60, 14, 7], ['path', 'd', 'M38 76l-5 26M82 76l5 26', 4]]],
  [/书桌|桌子|柜|置物架|收纳|家具|desk|table\b|shelf|furniture/i, [['rect', 'a', 18, 44, 84, 12, 4], ['rect', 'b', 26, 56, 26, 20, 3], ['path', 'd', 'M24 56v42M96 56v42', 4], ['circle', 'c', 39, 66, 2.5]]],
  [/睡袋|sleeping bag/i, [['path', 'a', 'M40 18h40q14 10 12 34l-6 42a10 10 0 0 1-10 8H44a10 10 0 0 1-10-8l-6-42q-2-24 12-34z'], ['path', 'c', 'M60 22q14 0 14 14t-14 14-14-14 14-14z'], ['path', 'd', 'M60 50v50', 2.5], ['path', 'b', 'M34 66h52M36 82h48', 2.5]]],
  [/床|枕|被子|毛毯|家纺|毛巾|\bbed\b|pillow|duvet|towel/i, [['rect', 'a', 20, 46, 80, 44, 16], ['rect', 'c', 28, 34, 38, 28, 12], ['path', 'b', 'M20 74h80v6a14 14 0 0 1-14 14H34a14 14 0 0 1-14-14z']]],
  // Food and drinks
  [/挂耳|drip bag/i, [['path', 'a', 'M30 24h60l-6 40H36z'], ['path', 'b', 'M44 24h32l-4 18H48z'], ['path', 'c', 'M34 70h52v8a22 22 0 0 1-22 22h-8a22 22 0 0 1-22-22z'], ['path', 'd', 'M86 74h6a9 9 0 0 1 0 18h-8', 4]]],
  [/咖啡豆|coffee bean/i, [['path', 'a', 'M36 22h48l6 78H30z'], ['path', 'b', 'M36 22h48l1 12H35z'], ['path', 'c', 'M60 50a13 18 0 1 1 0 36 13 18 0 0 1 0-36z'], ['path', 'd', 'M60 52q-9 16 0 32', 3]]],
  [/咖啡|coffee/i, [['path', 'a', 'M30 40h52v30a22 22 0 0 1-22 22h-8a22 22 0 0 1-22-22z'], ['path', 'b', 'M82 48h6a11 11 0 0 1 0 24h-6', 6], ['path', 'd', 'M46 22q-5 6 0 12M62 22q-5 6 0 12', 3]]],
  [/绿茶|白茶|龙井|毛尖|green tea/i, [['rect', 'b', 38, 20, 44, 14, 4], ['path', 'a', 'M34 34h52v58a8 8 0 0 1-8 8H42a8 8 0 0 1-8-8z'], ['path', 'c', 'M60 88q-20-14-2-38 20 16 2 38zM60 88V66']]],
  [/红茶|乌龙|普洱|茗茶|茶叶|black tea|oolong|\btea\b/i, [['path', 'a', 'M34 44h46v22a20 20 0 0 1-20 20h-6a20 20 0 0 1-20-20z'], ['path', 'b', 'M80 50h5a9 9 0 0 1 0 18h-5', 5], ['path', 'c', 'M22 88h70l-6 10H28z'], ['path', 'd', 'M50 24q-5 6 0 12M64 24q-5 6 0 12', 3]]],
  [/坚果|腰果|核桃|杏仁|炒货|nut\b|nuts|almond|cashew/i, [['path', 'a', 'M40 34q22-6 20 18-2 20-20 18-16-4-14-20 2-12 14-16z'], ['path', 'b', 'M78 42q18 2 16 20-4 18-22 14-12-6-8-20 4-12 14-14z'], ['path', 'a', 'M56 70q20-4 20 14-2 16-20 14-14-2-14-14 2-10 14-14z'], ['path', 'd', 'M36 44q6 8 4 18M78 52q6 6 2 16M56 78q8 4 6 14', 2.5]]],
  [/饼干|糕点|面包|沙琪玛|威化|biscuit|cookie|cake|bread|wafer/i, [['circle', 'a', 60, 62, 38], ['circle', 'c', 60, 62, 31], ['circle', 'd', 48, 50, 4], ['circle', 'd', 70, 48, 4], ['circle', 'd', 62, 64, 4], ['circle', 'd', 44, 70, 4], ['circle', 'd', 76, 72, 4], ['circle', 'd', 60, 82, 4]]],
  [/酒|wine|beer|liquor/i, [['path', 'a', 'M54 14h12v26q12 6 12 20v36a8 8 0 0 1-8 8H50a8 8 0 0 1-8-8V60q0-14 12-20z'], ['rect', 'c', 42, 66, 36, 22, 2], ['rect', 'd', 53, 12, 14, 8, 2]]],
  [/水果|苹果味|fruit|apple\b/i, [['path', 'a', 'M60 42c-10-10-36-6-34 22 1 22 18 36 26 34 5-2 11-2 16 0 8 2 25-12 26-34 2-28-24-32-34-22z'], ['path', 'd', 'M60 42q0-14 10-20', 3.5], ['path', 'b', 'M66 30q12-12 24-6-8 14-24 6z']]],
  // Beauty and baby
  [/防晒|sunscreen|sun cream/i, [['path', 'a', 'M42 34h36l-3 66a6 6 0 0 1-6 6H51a6 6 0 0 1-6-6z'], ['rect', 'd', 48, 18, 24, 16, 4], ['circle', 'c', 60, 66, 9], ['path', 'c', 'M60 50v-5M60 87v-5M44 66h-1M77 66h-1M49 55l-3-3M74 80l-3-3M71 55l3-3M46 80l3-3', 3]]],
  [/洗面奶|洁面|洗发|沐浴|cleanser|shampoo|face wash/i, [['path', 'a', 'M36 20h48l-5 66H41z'], ['rect', 'b', 36, 16, 48, 7, 2], ['rect', 'd', 44, 86, 32, 16, 4], ['path', 'c', 'M48 36h24M48 46h16', 3]]],
  [/口红|唇|lipstick/i, [['path', 'a', 'M48 22l24 10v30H48z'], ['rect', 'b', 45, 60, 30, 12, 2], ['rect', 'd', 42, 70, 36, 32, 4]]],
  [/香水|perfume/i, [['rect', 'd', 50, 18, 20, 18, 4], ['rect', 'b', 54, 34, 12, 10, 1], ['rect', 'a', 34, 42, 52, 58, 11], ['rect', 'c', 44, 58, 32, 22, 3]]],
  [/面霜|乳霜|护肤|美妆|精华|\bcream\b|skin ?care|cosmetic|serum/i, [['path', 'a', 'M24 60h72v26a14 14 0 0 1-14 14H38a14 14 0 0 1-14-14z'], ['rect', 'd', 22, 38, 76, 22, 7], ['rect', 'c', 40, 70, 40, 18, 3]]],
  [/纸尿裤|尿不湿|拉拉裤|diaper|nappy/i, [['path', 'a', 'M20 36h80v12q-4 22-24 26-4 16-16 16t-16-16q-20-4-24-26z'], ['path', 'b', 'M20 36h20v14H22zM80 36h20l-2 14H80z'], ['path', 'c', 'M46 40h28M50 50h20', 3]]],
  [/奶瓶|婴|baby|infant/i, [['rect', 'd', 52, 14, 16, 14, 7], ['rect', 'b', 42, 28, 36, 12, 4], ['rect', 'a', 40, 40, 40, 62, 11], ['path', 'c', 'M48 56h12M48 68h8M48 80h12', 3]]],
  // Toys, books, leisure
  [/毛绒|公仔|玩偶|plush|stuffed|teddy/i, [['circle', 'b', 38, 30, 12], ['circle', 'b', 82, 30, 12], ['circle', 'a', 60, 46, 28], ['path', 'a', 'M60 66a30 24 0 0 1 30 36H30a30 24 0 0 1 30-36z'], ['circle', 'c', 60, 54, 11], ['circle', 'd', 50, 42, 3], ['circle', 'd', 70, 42, 3], ['circle', 'd', 60, 51, 3.5]]],
  [/积木|拼装|brick|block|building set/i, [['rect', 'a', 20, 66, 46, 32, 4], ['rect', 'b', 68, 66, 34, 32, 4], ['rect', 'c', 40, 36, 46, 30, 4], ['rect', 'a', 26, 60, 12, 7, 2], ['rect', 'c', 46, 30, 12, 7, 2], ['rect', 'c', 68, 30, 12, 7, 2], ['rect', 'b', 88, 60, 10, 7, 2]]],
  [/玩具|游戏|拼图|toy|game|puzzle/i, [['rect', 'a', 22, 58, 36, 36, 6], ['rect', 'b', 62, 58, 36, 36, 6], ['path', 'd', 'M60 18l20 34H40z'], ['circle', 'c', 80, 76, 9]]],
  [/绘本|童书|picture book|children'?s book/i, [['path', 'a', 'M60 36q-18-12-42-8v58q24-4 42 8z'], ['path', 'b', 'M60 36q18-12 42-8v58q-24-4-42 8z'], ['circle', 'c', 38, 54, 9], ['path', 'c', 'M72 50q10-4 20-2M72 62q10-4 20-2M72 74q10-4 14-3', 3]]],
  [/书|小说|文学|编程|book|novel/i, [['path', 'a', 'M30 22h54a6 6 0 0 1 6 6v70H36a8 8 0 0 1-8-8V28z'], ['path', 'c', 'M34 88h56v10H36a5 5 0 0 1-2-10z'], ['path', 'b', 'M28 28a6 6 0 0 1 8-6v66a8 8 0 0 0-8 6z'], ['path', 'c', 'M48 38h30M48 48h20', 4]]],
  [/文具|钢笔|铅笔|笔记本(?!电脑)|station|\bpens?\b|pencil|paper/i, [['rect', 'a', 30, 24, 52, 76, 6], ['path', 'c', 'M42 40h28M42 52h28M42 64h18', 3], ['path', 'd', 'M92 26v52l-4 10-4-10V26z']]],
  [/帐篷|天幕|tent/i, [['path', 'a', 'M60 26L14 96h92z'], ['path', 'b', 'M60 26l46 70H84z'], ['path', 'd', 'M60 50L44 96h32z'], ['path', 'd', 'M60 26l-5-8M60 26l5-8', 3]]],
  [/露营|户外|camp|outdoor/i, [['path', 'b', 'M14 96l30-50 22 36 12-18 28 32z'], ['circle', 'a', 86, 34, 13], ['path', 'a', 'M14 96l30-50 30 50z']]],
  [/自行车|骑行|bike|bicycle/i, [['path', 'a', 'M30 80L48 48h30l12 32M48 48l14 32 16-32', 4], ['path', 'd', 'M44 42h10M76 42l4 6', 4], ['path', 'b', 'M30 64a16 16 0 1 1 0 32 16 16 0 0 1 0-32zM90 64a16 16 0 1 1 0 32 16 16 0 0 1 0-32z', 4]]],
  [/哑铃|健身|瑜伽|fitness|yoga|dumbbell/i, [['rect', 'd', 34, 56, 52, 8, 3], ['rect', 'a', 22, 40, 14, 40, 5], ['rect', 'a', 84, 40, 14, 40, 5], ['rect', 'b', 12, 48, 10, 24, 4], ['rect', 'b', 98, 48, 10, 24, 4]]],
  [/球|运动|ball|sport/i, [['circle', 'a', 60, 60, 38], ['path', 'd', 'M22 60h76M60 22v76M34 32q26 28 0 56M86 32q-26 28 0 56', 2.5]]],
  [/宠|猫粮|狗粮|\bpets?\b|\bcat\b|\bdog\b/i, [['circle', 'a', 60, 74, 22], ['circle', 'b', 34, 52, 10], ['circle', 'b', 52, 36, 10], ['circle', 'b', 72, 38, 10], ['circle', 'b', 88, 56, 10]]],
  [/花|园艺|绿植|plant|garden|flower/i, [['path', 'b', 'M60 72Q26 66 30 30q32 4 30 42z'], ['path', 'a', 'M60 72q-4-34 32-44 4 36-32 44z'], ['path', 'd', 'M40 72h40l-6 30H46z']]],
  [/工具|五金|tool|hardware/i, [['rect', 'a', 22, 26, 58, 24, 7], ['rect', 'd', 52, 48, 14, 54, 6], ['path', 'b', 'M80 28l20 10-20 10z']]],
  [/汽车|车载|\bcar\b|automotive/i, [['path', 'a', 'M16 66q2-8 12-10l12-18h40l14 18q12 2 12 12v14H16z'], ['path', 'c', 'M44 44h14v12H36zM64 44h13l9 12H64z'], ['circle', 'd', 36, 84, 10], ['circle', 'd', 84, 84, 10]]],
];

const FALLBACK = [['rect', 'a', 24, 42, 72, 56, 8], ['path', 'b', 'M24 50l10-22h52l10 22z'], ['rect', 'c', 52, 28, 16, 34, 2]];

function keys() {
  const made = [];
  for (let row = 0; row < 2; row += 1) for (let i = 0; i < 8; i += 1) made.push(['rect', (i + row) % 5 ? 'c' : 'd', 19 + i * 10.5, 48 + row * 10, 8, 7, 2]);
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

// The lightness of grey colours.
const LIGHTNESS = [[/黑|black/i, 18], [/白|white|透明/i, 97], [/银|silver/i, 78], [/灰|gr[ae]y/i, 55]];

/** A sample of a colour that is named by a variant option; `undefined` if the value is no colour. */
export function swatch(value) {
  const grey = LIGHTNESS.find(([pattern]) => pattern.test(value));
  const named = COLOURS.find(([pattern]) => pattern.test(value));
  if (!grey && (!named || !/色|^[a-z ]+$|[红橙黄绿青蓝紫粉棕]$/i.test(value))) return undefined;
  const sample = h('i', { class: 'swatch', 'aria-hidden': 'true' });
  sample.style.background = named ? `hsl(${named[1]} 55% 55%)` : `hsl(0 0% ${grey[1]}%)`;
  return sample;
}

/** The shape that a text names first; `undefined` if it names none. */
function shapeOf(text) {
  const found = SHAPES.map(([pattern, shape]) => ({ at: text.search(pattern), shape })).filter(({ at }) => at >= 0);
  // The sort is stable: of two patterns that fit at the same place, the more specific one stays first.
  return found.sort((a, b) => a.at - b.at)[0]?.shape;
}

/** The illustration of a product: `seed` selects the colour unless `options` name one; `category` and `title` select the shape. */
export function picture({ seed, category = '', title = '', options = {} }) {
  // The most specific words are at the end of the category path, then in the title. The top category names several kinds of products.
  const path = category.split('/');
  const words = [path.at(-1), title, ...path.slice(1, -1).reverse()];
  const shape = words.map(shapeOf).find(Boolean) ?? FALLBACK;
  const number = hash(seed ?? `${category} ${title}`);
  const colour = Object.values(options).join(' ');
  const named = COLOURS.find(([pattern]) => pattern.test(colour));
  const svg = s('svg', { class: 'pic', viewBox: '0 0 160 120', preserveAspectRatio: 'xMidYMid slice', 'aria-hidden': 'true', focusable: 'false' },
    s('rect', { class: 'pic-wall', width: 160, height: 120 }),
    s('rect', { class: 'pic-floor', y: 87, width: 160, height: 33 }),
    backdrop(number),
    s('ellipse', { class: 'pic-shadow', cx: 80, cy: 97, rx: 42, ry: 4 }),
    s('g', { transform: 'translate(29 9) scale(.85)' }, shape.map(draw)));
  svg.style.setProperty('--hue', named ? named[1] : number % 360);
  if (!named && GREYS.test(colour)) svg.classList.add('pic-grey');
  return svg;
}

/** What stands behind a product: one of several figures, so that two products of one kind and colour differ. */
function backdrop(number) {
  const left = 36 + (number >>> 9) % 88;
  const size = 18 + (number >>> 16) % 18;
  const figures = [
    () => s('circle', { class: 'pic-back', cx: left, cy: 44, r: size }),
    () => s('path', { class: 'pic-back', d: `M${left - size} 87V48a${size} ${size} 0 0 1 ${size * 2} 0v39z` }),
    () => s('rect', { class: 'pic-back', x: left - size, y: 20, width: size * 2, height: 67, rx: 3 }),
    () => s('path', { class: 'pic-back', d: `M${left - size} 0h${size}L${left - size * 2} 87h-${size}z` }),
    () => s('path', { class: 'pic-back', d: `M0 87q${left} -${size * 3} 160 0z` }),
  ];
  return figures[(number >>> 4) % figures.length]();
}

function draw([kind, tone, ...n]) {
  const style = `pic-${tone}`;
  if (kind === 'circle') return s('circle', { class: style, cx: n[0], cy: n[1], r: n[2] });
  if (kind === 'rect') return s('rect', { class: style, x: n[0], y: n[1], width: n[2], height: n[3], rx: n[4] });
  return n[1] ? s('path', { class: `${style} pic-stroke`, d: n[0], 'stroke-width': n[1] }) : s('path', { class: style, d: n[0] });
}
