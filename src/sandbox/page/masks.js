// Enough of a credential to tell it from another, and no more: people share their screens.

const PARAMETERS = new Set([
  "access_token", "component_access_token", "suite_access_token", "provider_access_token", "cloudbase_access_token",
  "authorizer_access_token", "refresh_token", "secret", "appsecret", "corpsecret", "component_appsecret", "suite_secret",
  "provider_secret", "code", "js_code", "ticket", "session_key", "signature", "msg_signature",
]);
const HEADERS = new Set(["authorization", "proxy-authorization", "cookie", "x-wxgate-key"]);

export function credential(value) {
  if (value === null || value === undefined || value === "") return "";
  return value.length > 24 ? `${value.slice(0, 6)}…${value.slice(-4)}` : "•••";
}

export function query(text) {
  return text.split("&").map((pair) => {
    const at = pair.indexOf("=");
    if (at < 0 || !PARAMETERS.has(pair.slice(0, at).toLowerCase())) return pair;
    return `${pair.slice(0, at)}=${credential(pair.slice(at + 1))}`;
  }).join("&");
}

export function header(name, value) {
  if (HEADERS.has(name.toLowerCase())) return credential(value);
  // A page's address may have a token in its query.
  const at = value.indexOf("?");
  return at < 0 ? value : `${value.slice(0, at + 1)}${query(value.slice(at + 1))}`;
}
