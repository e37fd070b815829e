// What the page says, in English and Chinese.

import { find, set, attribute } from "./dom.js";

const STORED = "wxgate-language";

const EN = {
  other: "中文", theme: "Theme", themes: { auto: "Auto", light: "Light", dark: "Dark" },
  units: [" d", " h", " min", " s"],
  ago: (time) => `${time} ago`,
  live: "live", connecting: "connecting",
  notLive: (time) => `not live since ${time}`,
  tooMany: "Too many pages are open already; this one waits for a place.",
  refusedBy: (problem) => `wxgate refused the request: ${problem}`,
  askToken: "This address is open to other machines and shows nothing without the admin token.",
  wrongToken: "That is not the admin token.", open: "Show",
  draining: "wxgate is shutting down: load balancers are told to send no more requests here.",
  storeDown: (problem) => `The store is down. Tokens are served from memory and not shared: ${problem}`,
  recordRefused: (key, reason, kept, more) => `Refused a record in the store: ${key} ${reason}`
    + (kept ? "; it is left as it is" : "") + (more > 0 ? ` (and ${more} more)` : ""),
  refusal: {
    unsealed: "is not sealed", unknown_key: "is sealed with a key that is not configured", broken_seal: "has a broken seal",
    damaged: "is damaged", format: "was written by a later version",
  },
  hostDown: (host, problem) => `${host} does not respond: ${problem}`,
  reloadRefused: (time, problem, more) => `The new configuration of ${time} was refused. The current one stays, but a restart would fail: ${problem}`
    + (more > 0 ? ` (and ${more} more)` : ""),
  fileRejected: (time, problem, more) => `An included file is rejected since ${time}. Its accounts stay as they were, but a restart would fail: ${problem}`
    + (more > 0 ? ` (and ${more} more)` : ""),
  certificateOf: (table) => `The certificate of ${table}`, keyOf: (caller) => `The key of caller ${caller}`,
  endsIn: (what, time) => `${what} expires in ${time}.`, hasEnded: (what) => `${what} has expired.`,

  tileApps: "Apps ready", tileCalls: "Calls today", tileNearest: "Nearest to its limit", tileStore: "Store", tileHosts: "WeChat", tileWork: "Requests in flight",
  noLimitKnown: "no known limit yet", up: "up", down: "down", replicas: "all replicas", since: (time) => `since ${time}`,
  queued: (waiting, refused) => `${waiting} waiting, ${refused} refused`, running: (time) => `running for ${time}`,
  answering: (good, all) => `${good} of ${all} hosts respond`, through: (proxy) => `through ${proxy}`,

  colon: ": ",
  warnings: "Warnings",
  warning: {
    used_70_percent: (w) => `${w.app}: 70% of today's quota for ${w.endpoint} is used`,
    used_90_percent: (w) => `${w.app}: 90% of today's quota for ${w.endpoint} is used`,
    exhausted: (w) => `${w.app}: today's quota for ${w.endpoint} is used up`,
    forecast: (w) => `${w.app}: at this pace the quota for ${w.endpoint} will not last for the day`,
    around: (w, count) => `${w.app}: ${count} calls to ${w.endpoint} did not come through wxgate`,
  },
  mostBy: (caller, percent) => `mostly by ${caller} (${percent}%)`,

  traffic: "Traffic", whichApp: "App", range: "Range", day: "24 hours", month: "30 days", allApps: "All apps",
  perMinute: "Requests per minute", perHour: "Requests per hour", latency: "Average time of a request",
  calls: "requests", wechat_errors: "WeChat's errors", refused_: "refused", failed_: "failed",
  own_ms: "in wxgate", wechat_ms: "at WeChat",
  trafficNote: "On this replica since it started.",

  apps: "Apps", filter: "Filter apps", app: "App",
  appsShown: (shown, all) => (shown === all ? `${all}` : `${shown} of ${all}`),
  noApps: "No app is configured.", noneMatches: "No app matches the filter.",
  locked: "To refresh tokens and clear quotas from here, configure an admin token: [admin] token = { env = \"WXGATE_ADMIN_TOKEN\" }",
  ready: "ready", starting: "starting", unavailable: "unavailable",
  official_account: "official account", mini_program: "mini program", store: "store", component: "open platform component", wecom: "WeCom",
  stable: "stable token", classic: "classic token",
  age: "Token age", expires: "Expires in", next: "Next refresh in", generation: "Generation",
  lastRefresh: (ago, reason, outcome) => `Last refresh ${ago}: ${reason}, ${outcome}`,
  forcesLeft: (count) => `${count} forced refreshes left today`,
  reason: { startup: "at the start", ahead: "ahead of time", rejected: "after a rejection", forced: "forced", admin: "by an operator", interference: "interference" },
  outcome: { replaced: "replaced", same: "the same token", failed: "failed" },
  lastProblem: "Problem", earlierProblem: "Earlier problem", permanent: "it will not pass by itself",
  interference: (times) => `Another program fetches tokens with this app's secret. Times seen: ${times}`,
  exported: (to, generation) => `Exported to ${to}, generation ${generation ?? "–"}`,
  overwritten: (times) => `; another program wrote there, times seen: ${times}`,
  acting: (inUse, failing) => `Authorizers in use: ${inUse}` + (failing > 0 ? `, failing: ${failing}` : ""),

  quotaToday: "Quota today", ends: (time) => `resets in ${time}`, noCalls: "No calls today.",
  allEndpoints: "All endpoints", endpointsOf: (app) => `Endpoints of ${app} today`,
  callsOnly: (calls) => `${calls} calls`, ofLimit: (used, limit) => `${used} / ${limit}`,
  usedUp: "used up", usedUpAt: (time) => `used up at ${time} at this pace`, slowedUntil: (time) => `slowed, next call at ${time}`,
  around: (count) => `${count} calls did not come through wxgate`,
  endpoint: "Endpoint", callsToday: "Calls", usedOfLimit: "Used / limit", left: "Left", pace: "Per minute", remarks: "Remarks",
  askedAt: (time) => `asked WeChat ${time}`, rateLimit: (calls, seconds) => `WeChat allows ${calls} in ${seconds} s`,

  errors: "WeChat's errors today", code: "Code", meaning: "Meaning", where: "Where", times: "Times", unknownCode: "not in wxgate's list",
  documented: "WeChat's document", andMore: (count) => `and ${count} more`,
  callers: "Callers", caller: "Caller", ok: "OK", wechatErrors: "WeChat's errors", refused: "Refused", failed: "Failed", mayUse: (apps) => `may use ${apps}`,

  events: "Recent events", noEvents: "Nothing yet.",
  event: {
    rejected: (e) => `Token of ${e.app} rejected by WeChat${e.on}, replaced${e.took}${e.replayed}`,
    ahead: (e) => `Token of ${e.app} refreshed ahead of time${e.took}`,
    startup: (e) => `First token of ${e.app} fetched${e.took}`,
    forced: (e) => `Token of ${e.app} force-refreshed${e.took}${e.replayed}`,
    admin: (e) => `Token of ${e.app} fetched for an operator${e.took}`,
    interference: (e) => `Another program fetched a token with the secret of ${e.app}`,
    same: (e) => `WeChat returned the token that ${e.app} already had${e.took}`,
    failed: (e) => `No token for ${e.app}${e.on === "" ? "" : ` after a rejection${e.on}`}: ${e.message}`,
    other: (e) => `Token of ${e.app}: ${e.reason}, ${e.outcome}`,
  },
  on: (path) => ` on ${path}`, took: (time) => ` in ${time}`, replayed: (count) => `, ${count} ${count === "1" ? "request" : "requests"} replayed`,

  refresh: "Refresh", force: "Force refresh", clear: "Clear quota",
  refreshTitle: (app) => `Refresh the token of ${app}?`,
  refreshWhat: "wxgate asks WeChat for a token now. A valid token stays valid.",
  forceTitle: (app) => `Force-refresh the token of ${app}?`,
  forceWhat: "WeChat issues a new token, and the current one expires soon. Do this if the token has leaked.",
  forceBudget: (left) => `WeChat allows 20 forced refreshes a day; ${left} left today.`,
  clearTitle: (app) => `Clear quota counters of ${app}?`,
  clearWhat: "WeChat sets today's counters to zero, so calls are possible again.",
  clearBudget: (spent) => `WeChat allows 10 such clears a month, including those made in its console; wxgate used ${spent} this month.`,
  singleBudget: (spent) => `WeChat allows 50 clears of single counters a month; wxgate used ${spent} this month.`,
  counters: "Counters", allCounters: "all of this app", adminToken: "Admin token", cancel: "Cancel", close: "Close", confirm: "Confirm",
  noAnswer: "wxgate does not respond.", noTokenConfigured: "No admin token is configured on the server, so nothing can be changed from here.",

  ridTitle: "Look up a request", ridHelp: "WeChat remembers each request for seven days, by the rid of its response.", ridNeeds: "This requires the admin token.", lookUp: "Look up",
  field: { invoke_time: "Time", cost_in_ms: "Took, ms", request_url: "URL", request_body: "Request", response_body: "Response", client_ip: "From" },
  alsoJson: "The same as JSON:",
};

const ZH = {
  other: "English", theme: "主题", themes: { auto: "自动", light: "浅色", dark: "深色" },
  units: [" 天", " 小时", " 分", " 秒"],
  ago: (time) => `${time}前`,
  live: "实时", connecting: "连接中",
  notLive: (time) => `${time} 起未更新`,
  tooMany: "打开的页面太多，正在等待空位。",
  refusedBy: (problem) => `wxgate 拒绝了请求：${problem}`,
  askToken: "此地址对其他机器开放，需要管理 token 才能查看。",
  wrongToken: "管理 token 不正确。", open: "查看",
  draining: "wxgate 正在退出：已通知负载均衡不再转发新请求。",
  storeDown: (problem) => `存储不可用，token 只保存在内存里，不与其他副本共享：${problem}`,
  recordRefused: (key, reason, kept, more) => `存储里有记录不可信：${key} ${reason}`
    + (kept ? "；已原样保留" : "") + (more > 0 ? `（另有 ${more} 条）` : ""),
  refusal: {
    unsealed: "没有加密", unknown_key: "用的是没有配置的密钥", broken_seal: "被改动过",
    damaged: "已损坏", format: "由更新的版本写入",
  },
  hostDown: (host, problem) => `${host} 没有响应：${problem}`,
  reloadRefused: (time, problem, more) => `${time} 的新配置未被接受，仍沿用旧配置，此时重启会失败：${problem}`
    + (more > 0 ? `（另有 ${more} 处）` : ""),
  fileRejected: (time, problem, more) => `有一个引入的文件自 ${time} 起未被接受，其中的账号仍沿用原来的内容，此时重启会失败：${problem}`
    + (more > 0 ? `（另有 ${more} 处）` : ""),
  certificateOf: (table) => `${table} 的证书`, keyOf: (caller) => `调用方 ${caller} 的 key `,
  endsIn: (what, time) => `${what}再过 ${time}到期。`, hasEnded: (what) => `${what}已到期。`,

  tileApps: "正常的应用", tileCalls: "今日调用", tileNearest: "最接近上限", tileStore: "存储", tileHosts: "微信", tileWork: "处理中的请求",
  noLimitKnown: "尚不知道上限", up: "正常", down: "不可用", replicas: "所有副本合计", since: (time) => `${time} 启动`,
  queued: (waiting, refused) => `排队 ${waiting}，拒绝 ${refused}`, running: (time) => `已运行 ${time}`,
  answering: (good, all) => `${good}/${all} 个域名正常`, through: (proxy) => `经由 ${proxy}`,

  colon: "：",
  warnings: "提醒",
  warning: {
    used_70_percent: (w) => `${w.app}：${w.endpoint} 今日配额已用 70%`,
    used_90_percent: (w) => `${w.app}：${w.endpoint} 今日配额已用 90%`,
    exhausted: (w) => `${w.app}：${w.endpoint} 今日配额已用完`,
    forecast: (w) => `${w.app}：按目前的速度，${w.endpoint} 的配额今天会用完`,
    around: (w, count) => `${w.app}：${w.endpoint} 有 ${count} 次调用没有经过 wxgate，有程序在直接使用该应用的凭证`,
  },
  mostBy: (caller, percent) => `主要来自 ${caller}（${percent}%）`,

  traffic: "流量", whichApp: "应用", range: "时间范围", day: "24 小时", month: "30 天", allApps: "全部应用",
  perMinute: "每分钟请求数", perHour: "每小时请求数", latency: "平均耗时",
  calls: "请求", wechat_errors: "微信报错", refused_: "被拒绝", failed_: "失败",
  own_ms: "wxgate 内", wechat_ms: "微信侧",
  trafficNote: "仅本副本，自启动起。",

  apps: "应用", filter: "筛选应用", app: "应用",
  appsShown: (shown, all) => (shown === all ? `${all} 个` : `${shown} / ${all} 个`),
  noApps: "尚未配置任何应用。", noneMatches: "没有符合条件的应用。",
  locked: "要在这里刷新 token 或清零配额，请先配置管理 token：[admin] token = { env = \"WXGATE_ADMIN_TOKEN\" }",
  ready: "正常", starting: "启动中", unavailable: "不可用",
  official_account: "公众号", mini_program: "小程序", store: "微信小店", component: "第三方平台", wecom: "企业微信",
  stable: "稳定版 token", classic: "普通 token",
  age: "token 已使用", expires: "剩余有效期", next: "距下次刷新", generation: "版本号",
  lastRefresh: (ago, reason, outcome) => `上次刷新 ${ago}：${reason}，${outcome}`,
  forcesLeft: (count) => `今日还可强制刷新 ${count} 次`,
  reason: { startup: "启动时", ahead: "提前刷新", rejected: "被微信拒绝后", forced: "强制刷新", admin: "人工刷新", interference: "被他人刷新" },
  outcome: { replaced: "已换新", same: "仍是原来的 token", failed: "失败" },
  lastProblem: "问题", earlierProblem: "之前的问题", permanent: "不会自行恢复",
  interference: (times) => `有其他程序在用该应用的 secret 取 token，次数：${times}`,
  exported: (to, generation) => `已导出到 ${to}，版本号 ${generation ?? "–"}`,
  overwritten: (times) => `；有其他程序写过此处，次数：${times}`,
  acting: (inUse, failing) => `代为调用的账号：${inUse}` + (failing > 0 ? `，失败：${failing}` : ""),

  quotaToday: "今日配额", ends: (time) => `${time}后重置`, noCalls: "今日没有调用。",
  allEndpoints: "全部接口", endpointsOf: (app) => `${app} 今日各接口`,
  callsOnly: (calls) => `${calls} 次`, ofLimit: (used, limit) => `${used} / ${limit}`,
  usedUp: "已用完", usedUpAt: (time) => `按目前的速度 ${time} 用完`, slowedUntil: (time) => `限速中，${time} 放行下一次调用`,
  around: (count) => `有 ${count} 次调用没有经过 wxgate`,
  endpoint: "接口", callsToday: "调用", usedOfLimit: "已用 / 上限", left: "剩余", pace: "每分钟", remarks: "备注",
  askedAt: (time) => `${time} 查询微信`, rateLimit: (calls, seconds) => `微信限制 ${seconds} 秒 ${calls} 次`,

  errors: "今日微信报错", code: "错误码", meaning: "含义", where: "接口", times: "次数", unknownCode: "wxgate 未收录",
  documented: "微信文档", andMore: (count) => `另有 ${count} 个`,
  callers: "调用方", caller: "调用方", ok: "成功", wechatErrors: "微信报错", refused: "被拒绝", failed: "失败", mayUse: (apps) => `可用应用：${apps}`,

  events: "最近事件", noEvents: "暂无。",
  event: {
    rejected: (e) => `${e.app} 的 token ${e.on}被微信拒绝，${e.took}换新${e.replayed}`,
    ahead: (e) => `${e.app} 的 token 已提前刷新${e.cost}`,
    startup: (e) => `已取得 ${e.app} 的第一个 token${e.cost}`,
    forced: (e) => `${e.app} 的 token 已强制换新${e.cost}${e.replayed}`,
    admin: (e) => `已按人工要求获取 ${e.app} 的 token${e.cost}`,
    interference: (e) => `有其他程序用 ${e.app} 的 secret 取了 token`,
    same: (e) => `微信返回的仍是 ${e.app} 原来的 token${e.cost}`,
    failed: (e) => `${e.app} 的 token ${e.on === "" ? "" : `${e.on}被拒绝后`}未能取得：${e.message}`,
    other: (e) => `${e.app} 的 token：${e.reason}，${e.outcome}`,
  },
  on: (path) => `在 ${path} `, took: (time) => `${time} 内`, cost: (time) => `，用时 ${time}`, replayed: (count) => `，重试 ${count} 个请求`,

  refresh: "刷新", force: "强制刷新", clear: "清零配额",
  refreshTitle: (app) => `刷新 ${app} 的 token？`,
  refreshWhat: "wxgate 会立即向微信取一次 token。仍然有效的 token 保持不变。",
  forceTitle: (app) => `强制更换 ${app} 的 token？`,
  forceWhat: "微信会签发新的 token，原来的很快失效。适用于 token 泄露的情况。",
  forceBudget: (left) => `微信每天允许强制刷新 20 次，今日还剩 ${left} 次。`,
  clearTitle: (app) => `清零 ${app} 的配额计数？`,
  clearWhat: "微信会把今日的调用计数归零，之后可以继续调用。",
  clearBudget: (spent) => `微信每月允许 10 次，包括在微信后台的操作；wxgate 本月已用 ${spent} 次。`,
  singleBudget: (spent) => `单个接口的清零，微信每月允许 50 次；wxgate 本月已用 ${spent} 次。`,
  counters: "范围", allCounters: "该应用的全部接口", adminToken: "管理 token", cancel: "取消", close: "关闭", confirm: "确认",
  noAnswer: "wxgate 没有响应。", noTokenConfigured: "服务器没有配置管理 token，因此无法在这里做任何更改。",

  ridTitle: "查询请求", ridHelp: "微信会保留每个请求的记录 7 天，可凭响应中的 rid 查询。", ridNeeds: "微信保留的请求记录只对持有管理 token 的人显示。", lookUp: "查询",
  field: { invoke_time: "时间", cost_in_ms: "耗时（毫秒）", request_url: "URL", request_body: "请求", response_body: "响应", client_ip: "来源 IP" },
  alsoJson: "JSON 格式：",
};

const LANGUAGES = { en: EN, zh: ZH };

let language = localStorage.getItem(STORED);
if (language === null || !Object.hasOwn(LANGUAGES, language)) {
  language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export const isChinese = () => language === "zh";
export const locale = () => (isChinese() ? "zh-CN" : "en-GB");
export const text = (key) => LANGUAGES[language][key];

// A word of the API in the page's language; one that the page doesn't know stays as it is.
export function word(name, key) {
  const words = key === undefined ? LANGUAGES[language] : text(key);
  return Object.hasOwn(words, name) && typeof words[name] === "string" ? words[name] : name;
}

export function translate(within) {
  for (const node of within.querySelectorAll("[data-text]")) set(node, text(node.dataset.text));
  for (const node of within.querySelectorAll("[data-label]")) attribute(node, "aria-label", text(node.dataset.label));
  for (const node of within.querySelectorAll("[data-placeholder]")) attribute(node, "placeholder", text(node.dataset.placeholder));
}

export function speak() {
  attribute(document.documentElement, "lang", isChinese() ? "zh-CN" : "en");
  set(find("#language"), text("other"));
  translate(document);
}

export function start(onChange) {
  find("#language").addEventListener("click", () => {
    language = isChinese() ? "en" : "zh";
    localStorage.setItem(STORED, language);
    speak();
    onChange();
  });
}
