// What the page says, in English and Chinese.

import { attribute, find, set, translate } from "./dom.js";

const STORED = "wxgate-language";

const EN = {
  other: "中文", theme: "Theme", themes: { auto: "Auto", light: "Light", dark: "Dark" },
  units: [" d", " h", " min", " s"],
  title: "WeChat sandbox",
  live: "live", connecting: "connecting", paused: "paused", lost: "not reachable",
  lostNotice: (problem) => `The sandbox does not respond; the page shows its last state. ${problem}`,
  footer: "This is a fake WeChat for tests. Tokens and secrets are shortened on this page; the control API returns them whole.",

  force: "In force", nothing: "Nothing is switched on: it responds like WeChat.",
  all: "Everything back to normal", allTitle: "Ends faults, lags and settings, forgets tokens, quotas and requests. Accounts stay.",
  allDone: "Everything is back to normal",
  end: (name) => `End: ${name}`, ended: (name) => `Ended: ${name}`,
  hits: (count) => (count === 1 ? "1 hit" : `${count} hits`), hitsOf: (count, all) => `${count} of ${all}`,
  ahead: (time, isBehind) => (isBehind ? `−${time}` : `+${time}`),
  lagging: "Servers lag", poisonedToken: "Poisoned token", whitelist: "Only from",
  faultNames: {
    errcode: "errcode", early_answer: "early errcode", html: "HTML page", status: "HTTP status", latency: "slow by", token_latency: "tokens slow by",
    silence: "no response", reset: "connection reset", cut: "response cut short", empty: "empty response", slow_body: "slow body",
    always_reject: "40001 always", gzip: "gzip", chunked: "chunked", close: "connection closed", signed_answer: "wrong signature",
  },

  requests: "Requests", fetches: "Token fetches", forces: "Forced fetches", probes: "Token probes",
  shown: (shown, all) => (all === 0 ? "" : shown === all ? `the last ${all}` : `${shown} of the last ${all}`),
  failedOnly: "Errors only", filter: "Filter requests", pause: "Pause", resume: "Resume",
  time: "Time", method: "Method", endpoint: "Endpoint", app: "App", credential: "Credential", answer: "Response",
  ok: "ok", pending: "pending", generic: "generic", unlisted: "unlisted",
  genericTitle: "The sandbox has no shape for this endpoint: it returned a plain success, whatever was sent.",
  unlistedTitle: "WeChat has no such endpoint, or not for this kind of account.",
  noRequests: "No requests yet. Point your service here, or fetch a token:", noMatch: "No request matches the filter.",
  query: "Query", headers: "Headers", body: "Body", digest: "SHA-256", peer: "From", number: "Number", shape: "Note", documentedAt: "Documented at",
  bytes: (count) => `${count} bytes`,

  faults: "Make it fail", allApps: "All apps", anyEndpoint: "every endpoint", howOften: "How often",
  always: "until ended", timesOf: (count) => (count === 1 ? "once" : `${count} times`),
  tokenGroup: "Tokens", answerGroup: "Responses", networkGroup: "Network", clockGroup: "Clock",
  orders: {
    rotate: ["Fetched elsewhere", "Another program fetched a token: the current one is invalid."],
    expire: ["Expire", "The token expires now: 42001."],
    poison: ["Poison", "WeChat keeps returning the token but rejects it everywhere: only force_refresh helps."],
    lag: ["Servers lag", "Some of WeChat's servers reject the valid token, three times."],
    dead: ["40001 token invalid", "The endpoint says that the token is invalid, whatever was sent."],
    busy: ["−1 busy", "WeChat is busy."],
    daily: ["45009 daily quota", "Today's quota is used up."],
    minute: ["45011 per minute", "Too many calls within a minute."],
    html: ["HTTP 502 page", "A gateway's HTML page instead of JSON."],
    empty: ["Empty response", "Status 200 without a body."],
    slow: ["2 s slower", "The response comes two seconds later."],
    silence: ["No response", "The request is received and never answered."],
    reset: ["Reset", "The connection is closed without a byte of a response."],
    cut: ["Cut short", "The connection is closed after 20 bytes of the body."],
    minutes: ["+5 min", "Five minutes pass."],
    hours: ["+2 h", "Two hours pass: tokens expire."],
    day: ["+1 day", "A day passes: daily quotas start again."],
  },
  noTokenYet: "There was no token to change yet",

  accounts: "Accounts", noToken: "no token yet", poisoned: "poisoned", expired: "expired",
  expiresIn: (time) => `expires in ${time}`,
  kinds: {
    official_account: "official account", mini_program: "mini program", component: "third-party platform", wecom: "WeCom", suite: "WeCom suite",
    provider: "WeCom provider", authorizer: "authorized account", classic: "token", stable: "stable_token",
  },
};

const ZH = {
  other: "English", theme: "主题", themes: { auto: "自动", light: "浅色", dark: "深色" },
  units: [" 天", " 小时", " 分", " 秒"],
  title: "微信沙箱",
  live: "实时", connecting: "连接中", paused: "已暂停", lost: "无法连接",
  lostNotice: (problem) => `沙箱没有响应，页面显示的是最后一次的状态。${problem}`,
  footer: "这是供测试用的模拟微信。页面上的 token 和 secret 只显示首尾，控制接口返回完整的值。",

  force: "生效中", nothing: "没有任何故障，响应与微信一致。",
  all: "全部恢复正常", allTitle: "结束所有故障、节点延迟和设置，清除 token、配额和请求记录；账号保留。",
  allDone: "已全部恢复正常",
  end: (name) => `结束：${name}`, ended: (name) => `已结束：${name}`,
  hits: (count) => `已命中 ${count} 次`, hitsOf: (count, all) => `${count} / ${all} 次`,
  ahead: (time, isBehind) => (isBehind ? `−${time}` : `+${time}`),
  lagging: "节点延迟", poisonedToken: "token 已失效但仍返回", whitelist: "IP 白名单",
  faultNames: {
    errcode: "错误码", early_answer: "提前返回错误码", html: "HTML 页面", status: "HTTP 状态码", latency: "变慢", token_latency: "获取 token 变慢",
    silence: "不响应", reset: "连接被重置", cut: "响应中断", empty: "空响应", slow_body: "响应体变慢",
    always_reject: "始终 40001", gzip: "gzip", chunked: "chunked", close: "关闭连接", signed_answer: "签名有误",
  },

  requests: "请求", fetches: "获取 token", forces: "强制刷新", probes: "探测 token",
  shown: (shown, all) => (all === 0 ? "" : shown === all ? `最近 ${all} 条` : `最近 ${all} 条中的 ${shown} 条`),
  failedOnly: "只看错误", filter: "过滤请求", pause: "暂停", resume: "继续",
  time: "时间", method: "方法", endpoint: "接口", app: "应用", credential: "凭证", answer: "响应",
  ok: "成功", pending: "等待中", generic: "通用", unlisted: "未收录",
  genericTitle: "沙箱没有实现这个接口的响应：无论提交什么都返回成功。",
  unlistedTitle: "微信没有这个接口，或者这类账号没有。",
  noRequests: "还没有请求。把服务指向这里，或者获取一个 token：", noMatch: "没有符合条件的请求。",
  query: "查询参数", headers: "请求头", body: "请求体", digest: "SHA-256", peer: "来源", number: "序号", shape: "说明", documentedAt: "微信文档",
  bytes: (count) => `${count} 字节`,

  faults: "注入故障", allApps: "所有应用", anyEndpoint: "所有接口", howOften: "次数",
  always: "直到结束", timesOf: (count) => `${count} 次`,
  tokenGroup: "token", answerGroup: "响应", networkGroup: "网络", clockGroup: "时钟",
  orders: {
    rotate: ["被别人获取", "其他程序获取了 token，当前的 token 失效。"],
    expire: ["过期", "token 立即过期：42001。"],
    poison: ["失效但仍返回", "微信继续返回这个 token，但所有接口都拒绝它，只有 force_refresh 有用。"],
    lag: ["节点延迟", "微信的部分节点拒绝有效的 token，共三次。"],
    dead: ["40001 token 无效", "无论提交什么，接口都返回 token 无效。"],
    busy: ["−1 系统繁忙", "微信系统繁忙。"],
    daily: ["45009 当日配额", "当日配额已用完。"],
    minute: ["45011 每分钟", "一分钟内调用过多。"],
    html: ["HTTP 502 页面", "返回的是网关的 HTML 页面，不是 JSON。"],
    empty: ["空响应", "状态码 200，没有响应体。"],
    slow: ["慢 2 秒", "两秒后才响应。"],
    silence: ["不响应", "收下请求，一直不响应。"],
    reset: ["重置连接", "一个字节都不返回就断开连接。"],
    cut: ["响应中断", "响应体发出 20 字节后断开连接。"],
    minutes: ["+5 分钟", "时间过去五分钟。"],
    hours: ["+2 小时", "时间过去两小时：token 过期。"],
    day: ["+1 天", "时间过去一天：每日配额重新计算。"],
  },
  noTokenYet: "还没有 token，没有改变什么",

  accounts: "账号", noToken: "还没有 token", poisoned: "失效但仍返回", expired: "已过期",
  expiresIn: (time) => `${time}后过期`,
  kinds: {
    official_account: "公众号", mini_program: "小程序", component: "第三方平台", wecom: "企业微信", suite: "企业微信第三方应用",
    provider: "企业微信服务商", authorizer: "授权账号", classic: "token", stable: "stable_token",
  },
};

const LANGUAGES = { en: EN, zh: ZH };

let language = localStorage.getItem(STORED);
if (language === null || !Object.hasOwn(LANGUAGES, language)) {
  // The sandbox wrote it by the browser's Accept-Language.
  language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
}

export const isChinese = () => language === "zh";
export const locale = () => (isChinese() ? "zh-CN" : "en-GB");
export const text = (key) => LANGUAGES[language][key];

// A word of the API in the page's language; one that the page doesn't know stays as it is.
export function word(name, key) {
  const words = text(key);
  return Object.hasOwn(words, name) ? words[name] : name;
}

// The two largest units, or fewer.
export function duration(seconds) {
  const parts = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const first = parts.findIndex((part) => part > 0);
  if (first < 0) return `0${text("units")[3]}`;
  const shown = parts.map((part, unit) => (part > 0 ? `${part}${text("units")[unit]}` : "")).slice(first, first + 2);
  return shown.filter((part) => part !== "").join(" ");
}

export function speak() {
  attribute(document.documentElement, "lang", isChinese() ? "zh-CN" : "en");
  set(find("#language"), text("other"));
  translate(document, text);
}

export function start(onChange) {
  find("#language").addEventListener("click", () => {
    language = isChinese() ? "en" : "zh";
    localStorage.setItem(STORED, language);
    speak();
    onChange();
  });
}
