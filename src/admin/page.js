"use strict";

const TEXTS = {
  en: {
    other: "中文",
    age: "Token age", expires: "Expires in", next: "Next refresh in", generation: "Generation",
    last: "Last refresh", forces: "Forced refreshes left today", callers: "Callers",
    ready: "ready", starting: "starting", unavailable: "unavailable",
    official_account: "official account", mini_program: "mini program", component: "open platform component",
    wecom: "WeCom", stable: "stable token", classic: "classic token",
    askToken: "This address is open to other machines and shows nothing without the admin token.",
    wrongToken: "That is not the admin token.", open: "Show",
    unreachable: "wxgate does not answer. What you see is from before.",
    refused: "wxgate refused to answer: ",
    draining: "draining", store: "store", since: "since",
    storeDown: "The store is down. Tokens are served from memory and not shared: ",
    upstreams: "WeChat: ", used: "in use", through: (proxy) => ` through ${proxy}`,
    noApps: "No app is configured.",
    lastFailure: "Last problem", permanent: "it will not pass by itself",
    exported: (to, generation) => `Exported to ${to}, generation ${generation ?? "–"}`,
    overwritten: (times) => `; somebody else wrote there, times seen: ${times}`,
    acting: (inUse, failing) => `Accounts acted for: ${inUse}` + (failing > 0 ? `, failing: ${failing}` : ""),
    interference: "Somebody else fetches tokens with this app's secret. Times seen: ",
    howToRefresh: "To refresh a token, use the command line:",
    ago: (text) => `${text} ago`,
    units: [" d", " h", " min", " s"],
  },
  zh: {
    other: "English",
    age: "令牌已使用", expires: "剩余有效期", next: "距下次刷新", generation: "代数",
    last: "上次刷新", forces: "今日剩余强制刷新次数", callers: "调用方",
    ready: "正常", starting: "启动中", unavailable: "不可用",
    official_account: "公众号", mini_program: "小程序", component: "第三方平台", wecom: "企业微信",
    stable: "稳定版令牌", classic: "普通令牌",
    askToken: "此地址对其他机器开放，需要管理令牌才能查看。",
    wrongToken: "管理令牌不正确。", open: "查看",
    unreachable: "wxgate 没有响应，以下为之前的状态。",
    refused: "wxgate 拒绝了请求：",
    draining: "正在退出", store: "存储", since: "启动于",
    upstreams: "微信：", used: "使用中", through: (proxy) => `（经由 ${proxy}）`,
    noApps: "尚未配置任何应用。",
    storeDown: "存储不可用，令牌仅保存在内存中，不与其他实例共享：",
    lastFailure: "最近的问题", permanent: "不会自行恢复",
    exported: (to, generation) => `已导出到 ${to}，第 ${generation ?? "–"} 代`,
    overwritten: (times) => `；有其他程序写过此处，次数：${times}`,
    acting: (inUse, failing) => `代为调用的账号：${inUse}` + (failing > 0 ? `，失败：${failing}` : ""),
    interference: "有其他程序正在用该应用的密钥获取令牌，次数：",
    howToRefresh: "如需刷新令牌，请使用命令行：",
    ago: (text) => `${text}前`,
    units: [" 天", " 小时", " 分", " 秒"],
  },
};
const PERIOD = 2000;
const STORED_TOKEN = "wxgate-admin-token";
const STORED_LANGUAGE = "wxgate-language";

const find = (selector, within = document) => within.querySelector(selector);
const cards = new Map();
let language = localStorage.getItem(STORED_LANGUAGE)
  ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
let texts = TEXTS[language] ?? TEXTS.en;
let status = null;

// Rewriting unchanged text would lose a reader's selection every two seconds.
function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function show(node, visible) {
  node.hidden = !visible;
}

function duration(seconds) {
  const parts = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
  const first = parts.findIndex((part) => part > 0);
  if (first < 0) return `0${texts.units[3]}`;
  return parts.map((part, unit) => `${part}${texts.units[unit]}`).slice(first, first + 2).join(" ");
}

function moment(text) {
  return new Date(text).toLocaleString(language === "zh" ? "zh-CN" : undefined);
}

function since(text) {
  return texts.ago(duration(Math.max(0, Math.floor((Date.now() - new Date(text)) / 1000))));
}

function label(key) {
  return Object.hasOwn(texts, key) ? texts[key] : key;
}

function card(name) {
  if (!cards.has(name)) {
    const article = find("#app").content.cloneNode(true).firstElementChild;
    cards.set(name, article);
    translate(article);
  }
  return cards.get(name);
}

function renderApp(app) {
  const article = card(app.name);
  const put = (selector, text) => set(find(selector, article), text);
  put(".name", app.name);
  put(".state", label(app.state));
  find(".state", article).className = `state ${app.state}`;
  const account = [app.appid, label(app.kind), app.token_mode === null ? null : label(app.token_mode)];
  put(".account", account.filter((part) => part !== null).join(" · "));
  const seconds = (value) => (value === null ? "–" : duration(value));
  put(".age", seconds(app.token?.age_seconds ?? null));
  put(".expires", seconds(app.token?.expires_in_seconds ?? null));
  put(".next", seconds(app.next_refresh_in_seconds));
  put(".generation", String(app.token?.generation ?? "–"));
  const last = app.last_refresh;
  put(".last", last ? `${since(last.at)} (${last.reason}, ${last.outcome})` : "–");
  put(".forces", String(app.forces_left_today));
  put(".interference", texts.interference + app.interference);
  show(find(".interference", article), app.interference > 0);
  renderLines(find(".beside", article), beside(app));
  renderLines(find(".exports", article), app.exports.map(exported));
  const failure = app.last_failure;
  show(find(".failure", article), failure !== null);
  if (failure !== null) {
    const title = [texts.lastFailure, failure.errcode, moment(failure.at), failure.permanent ? texts.permanent : null];
    put(".failure h3", title.filter((part) => part !== null).join(" · "));
    put(".message", failure.message);
    put(".remedy", failure.remedy ?? "");
    show(find(".remedy", article), failure.remedy !== null);
    find(".failure", article).classList.toggle("past", app.state === "ready");
  }
  return article;
}

// What an app has beside its token.
function beside(app) {
  const acting = app.authorizers === null
    ? []
    : [{ text: texts.acting(app.authorizers.in_use, app.authorizers.failing), bad: app.authorizers.failing > 0 }];
  return acting.concat(app.credentials.map((credential) => {
    const ready = credential.state === "ready";
    const failure = ready ? null : credential.last_failure;
    const left = ready && credential.expires_in_seconds !== null ? duration(credential.expires_in_seconds) : null;
    const parts = [credential.kind, label(credential.state), left, failure?.errcode ?? null, failure?.message ?? null];
    const text = parts.filter((part) => part !== null).join(" · ") + (failure?.remedy ? ` → ${failure.remedy}` : "");
    return { text, bad: credential.state === "unavailable" };
  }));
}

function exported(target) {
  const text = texts.exported(target.to, target.generation)
    + (target.overwritten > 0 ? texts.overwritten(target.overwritten) : "")
    + (target.problem !== null ? ` · ${target.problem}` : "");
  return { text, bad: target.problem !== null || target.overwritten > 0 };
}

function renderLines(list, lines) {
  show(list, lines.length > 0);
  const items = lines.map(({ text, bad }) => {
    const item = document.createElement("li");
    item.classList.toggle("bad", bad);
    item.textContent = text;
    return item;
  });
  const same = list.childElementCount === items.length && items.every((item, at) => item.isEqualNode(list.children[at]));
  if (!same) list.replaceChildren(...items);
}

function renderUpstreams(hosts) {
  const lines = hosts.map((host) => {
    const way = host.egress !== null ? texts.through(host.egress) : "";
    const facts = [`${host.origin}${way}`, host.in_use ? texts.used : null, host.problem];
    return facts.filter((fact) => fact !== null).join(", ");
  });
  const line = find("#upstreams");
  set(line, hosts.length > 0 ? texts.upstreams + lines.join(" · ") : "");
  line.classList.toggle("bad", hosts.some((host) => !host.healthy));
}

function renderCallers(callers) {
  show(find("#callers"), callers.length > 0);
  const rows = callers.map((caller) => {
    const row = document.createElement("div");
    const name = document.createElement("dt");
    const apps = document.createElement("dd");
    name.textContent = caller.name;
    apps.textContent = caller.apps.join(", ");
    row.append(name, apps);
    return row;
  });
  const list = find("#callers dl");
  const same = list.childElementCount === rows.length && rows.every((row, at) => row.isEqualNode(list.children[at]));
  if (!same) list.replaceChildren(...rows);
}

function render() {
  if (status === null) return;
  set(find("#version"), status.version);
  const facts = [status.draining ? texts.draining : null, ...status.listeners, `${texts.store} ${status.store.url}`, `${texts.since} ${moment(status.started_at)}`];
  set(find("#process"), facts.filter((fact) => fact !== null).join(" · "));
  set(find("#store"), texts.storeDown + (status.store.problem ?? ""));
  show(find("#store"), !status.store.up);
  renderUpstreams(status.upstreams);
  const articles = status.apps.map(renderApp);
  const names = new Set(status.apps.map((app) => app.name));
  for (const name of cards.keys()) if (!names.has(name)) cards.delete(name);
  const section = find("#apps");
  const same = section.childElementCount === articles.length
    && articles.every((article, at) => article === section.children[at]);
  if (!same) section.replaceChildren(...articles);
  if (articles.length === 0) section.replaceChildren(texts.noApps);
  renderCallers(status.callers);
}

function translate(within) {
  for (const node of within.querySelectorAll("[data-text]")) set(node, texts[node.dataset.text]);
}

function speak() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  texts = TEXTS[language] ?? TEXTS.en;
  set(find("#language"), texts.other);
  translate(document);
  cards.forEach(translate);
  render();
}

function notice(text) {
  set(find("#notice"), text);
  show(find("#notice"), text !== "");
}

function askForToken(refused) {
  status = null;
  cards.clear();
  find("#apps").replaceChildren();
  show(find("#store"), false);
  set(find("#upstreams"), "");
  show(find("#callers"), false);
  show(find("#login"), true);
  notice(refused ? texts.wrongToken : "");
}

async function poll() {
  const token = sessionStorage.getItem(STORED_TOKEN);
  const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
  let response;
  try {
    response = await fetch("api/v1/status", { headers, cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (response.ok) status = await response.json();
  } catch {
    notice(texts.unreachable);
    return;
  }
  if (response.status === 401) {
    sessionStorage.removeItem(STORED_TOKEN);
    askForToken(token !== null);
    return;
  }
  show(find("#login"), false);
  if (response.ok) {
    notice("");
    render();
  } else {
    const problem = await response.json().catch(() => ({ error: response.status }));
    notice(texts.refused + problem.error);
  }
}

async function pollForEver() {
  // A form in use must not be polled away, and a hidden page is read by nobody.
  if (!document.hidden && find("#login").hidden) await poll();
  setTimeout(pollForEver, PERIOD);
}

find("#language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem(STORED_LANGUAGE, language);
  speak();
});

find("#login").addEventListener("submit", (event) => {
  event.preventDefault();
  // A header takes no other characters, and no token has them.
  const token = find("#token").value.trim().replace(/[^\x21-\x7e]/g, "");
  find("#token").value = "";
  sessionStorage.setItem(STORED_TOKEN, token);
  poll();
});

speak();
pollForEver();
