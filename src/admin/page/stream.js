// Follows the server's snapshots, and reconnects.

import { ask } from "./session.js";

// EventSource cannot send the token, so the stream is read by fetch.
const LONGEST_SILENCE = 10000;
const LONGEST_PAUSE = 15000;

async function* events(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const data = part.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5));
      if (data.length > 0) yield JSON.parse(data.join("\n"));
    }
  }
}

// Calls `onSnapshot`, `onLost(since)` and `onDenied(response)`. Returns a function that reconnects at
// once, for example after a login.
export function listen({ onSnapshot, onLost, onDenied }) {
  let lastHeard = Date.now();
  let pause = 0;
  let connection = null;
  let timer = null;

  function later() {
    pause = Math.min(LONGEST_PAUSE, Math.max(1000, pause * 2));
    // Many pages must not reconnect at the same moment.
    timer = setTimeout(connect, pause * (0.75 + Math.random() / 2));
  }

  async function connect() {
    clearTimeout(timer);
    connection?.abort();
    // Nobody reads a hidden page, and a browser has only six connections to one address.
    if (document.hidden) return;
    const own = new AbortController();
    connection = own;
    let watchdog = null;
    const alive = () => {
      lastHeard = Date.now();
      clearTimeout(watchdog);
      watchdog = setTimeout(() => own.abort(), LONGEST_SILENCE);
    };
    let denied = false;
    try {
      watchdog = setTimeout(() => own.abort(), LONGEST_SILENCE);
      const response = await ask("api/v1/events", { signal: own.signal });
      denied = response.status === 401;
      if (!response.ok) {
        await onDenied(response);
      } else {
        for await (const snapshot of events(response.body, alive)) {
          if (own !== connection) return;
          pause = 0;
          onSnapshot(snapshot);
        }
      }
    } catch (error) {
      // A broken connection is shown below; an error of the page itself must not be hidden by it.
      if (error.name !== "AbortError" && !(error instanceof TypeError && error.message.match(/fetch|network/i))) console.error(error);
    }
    clearTimeout(watchdog);
    if (own !== connection) return;
    // Without a token the page waits for the form.
    if (denied) return;
    if (!document.hidden) onLost(new Date(lastHeard));
    later();
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) connection?.abort();
    else connect();
  });
  connect();
  return () => {
    pause = 0;
    connect();
  };
}
