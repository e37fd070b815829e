// What the stream doesn't bring is asked for while somebody can see it.

import { ask } from "./session.js";

// Asks for `path()` again and again, `period()` milliseconds after the last time; `null` asks for
// nothing. `isLive` says whether there is somebody to ask, `onAnswer` gets the answer. Returns a
// function that asks at once, for example because the path is another one.
export function poll({ path, period, isLive, onAnswer }) {
  let askedAt = 0;
  let turn = 0;
  const now = async () => {
    if (!isLive()) return;
    const wanted = path();
    askedAt = Date.now();
    const own = ++turn;
    if (wanted === null) return;
    // The stream shows the connection's state.
    const response = await ask(wanted).catch(() => null);
    const answer = response?.ok ? await response.json().catch(() => null) : null;
    if (own === turn && answer !== null) onAnswer(answer);
  };
  setInterval(() => {
    if (!document.hidden && isLive() && Date.now() - askedAt >= period()) now();
  }, 500);
  return now;
}
