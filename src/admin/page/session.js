// The admin token of this browser tab, and requests with it.

import { locale } from "./texts.js";

const STORED = "wxgate-admin-token";

export const held = () => sessionStorage.getItem(STORED);

export function hold(token) {
  if (token === null) sessionStorage.removeItem(STORED);
  else sessionStorage.setItem(STORED, token);
}

// A header takes no other characters, so a token has no others.
export const cleaned = (token) => token.trim().replace(/[^\x21-\x7e]/g, "");

export function ask(path, { token = held(), ...rest } = {}) {
  const headers = { "Accept-Language": locale() };
  if (token !== null && token !== "") headers.Authorization = `Bearer ${token}`;
  return fetch(path, { headers, cache: "no-store", ...rest });
}

export async function problemOf(response) {
  const answer = await response.json().catch(() => ({}));
  return answer.error ?? `HTTP ${response.status}`;
}
