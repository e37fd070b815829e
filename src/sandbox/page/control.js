// The control API, and what became of the last order.

import { find, line, style } from "./dom.js";
import { locale } from "./texts.js";

export async function ask(method, path, body) {
  const response = await fetch(`/sandbox/${path}`, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: { "Accept": "application/json", "Accept-Language": locale() },
    cache: "no-store",
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `HTTP ${response.status}`);
  return answer;
}

// Carries an order out, says what became of it, and then calls `onDone`.
export async function order(said, method, path, body, onDone) {
  const done = find("#done");
  try {
    const answer = await ask(method, path, body);
    style(done, "good");
    line(done, `✓ ${typeof said === "function" ? said(answer) : said}`);
  } catch (error) {
    style(done, "bad");
    line(done, error.message);
  }
  await onDone();
}
