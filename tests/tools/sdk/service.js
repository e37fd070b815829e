// A day in the life of a service that uses an SDK, whose code is unmodified, behind the proxy. The guide's lines stand
// above; the SDK's own calls follow below.
//
// Before each call but the first, somebody else rotates the token at WeChat. Each answer is checked; one line of JSON says
// what was done, so that the other side of the test can compare it with what WeChat saw.

const assert = require('node:assert');
const { createHash } = require('node:crypto');
const dns = require('node:dns');

// An address that was not turned must not reach the real WeChat.
dns.lookup = (host, options, callback) => (callback || options)(new Error(`${host} was looked up`));

const [appid, sandbox] = process.argv.slice(2);
const MEDIA_SIZES = [1_000, 65_537, 3_000_000];
const report = { calls: {}, kept: 0, rotations: 0, media: [] };

async function rotate() {
  const order = { method: 'POST', body: JSON.stringify({ appid }) };
  const { changed } = await (await fetch(`${sandbox}/sandbox/rotate`, order)).json();
  assert.strictEqual(changed, 1, 'tokens rotated');
  report.rotations += 1;
}

/** Makes a call of the SDK's, with a rotation before each but the first. */
async function call(path, made) {
  if (Object.keys(report.calls).length > 0) await rotate();
  report.calls[path] = (report.calls[path] || 0) + 1;
  return made();
}

/** The same for what wxgate keeps: only the first one reaches WeChat. */
async function kept(path, made) {
  if (!report.calls[path]) return call(path, made);
  report.kept += 1;
  return made();
}

/** Bytes of no text encoding, with something in them that must not be mistaken for an error. */
function picture(size) {
  const bytes = Buffer.alloc(size);
  for (let at = 0, word = size; at < size; at += 1) {
    word = (Math.imul(word, 1103515245) + 12345) >>> 0;
    bytes[at] = word >>> 16;
  }
  return Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.from('{"errcode":40001}'), bytes]);
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** What a round of an SDK's calls brings: a message's id, the uploaded file and the one that came down. */
function checked(round) {
  const digest = sha256(round.file);
  assert.strictEqual(sha256(round.downloaded), digest, `${round.downloaded.length} other bytes came back`);
  assert(round.code.subarray(0, 2).equals(Buffer.from([0xff, 0xd8])), 'a picture');
  assert(round.ticket.length > 20, `a ticket: ${round.ticket}`);
  report.media.push(digest);
  return Number(round.message);
}

/** All rounds, then what the SDK does besides. */
async function day(round, besides) {
  const messages = [];
  for (const [number, size] of MEDIA_SIZES.entries()) {
    messages.push(checked(await round(`o${number}`, picture(size))));
  }
  assert.deepStrictEqual(messages, messages.map((_, at) => messages[0] + at), 'no message went out twice');
  if (besides) await besides();
  console.log(JSON.stringify(report));
}
