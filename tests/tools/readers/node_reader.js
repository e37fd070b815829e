// Reads responses with node's own parser, as its client does. A line of the file is HEAD or GET and
// the response's bytes in hex; prints a line of JSON for each.
'use strict';

const { readFileSync } = require('node:fs');
const { HTTPParser } = require('_http_common');

// It takes a tab beside these values for a part of them, where the standard has white space.
const TABBED = /^(content-length|transfer-encoding):.*\t/im;

function read(method, data) {
  if (TABBED.test(data.toString('latin1'))) return { refused: 'tab', unable: true };
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.RESPONSE, {}, 0, HTTPParser.kLenientNone);
  let fields = [];
  let head = null;
  let interim = false;
  let ended = false;
  const body = [];
  parser[HTTPParser.kOnHeaders] = (more) => { if (!head) fields.push(...more); };
  parser[HTTPParser.kOnHeadersComplete] = (major, minor, all, _method, _url, status, _message, _upgrade, goesOn) => {
    fields = fields.concat(all ?? []);
    interim = status < 200 && status !== 101;
    if (interim) {
      fields = [];
      return 1;
    }
    head = { status, fields, goesOn };
    // Without a body, whatever it says.
    return method === 'HEAD' ? 1 : 0;
  };
  parser[HTTPParser.kOnBody] = (piece) => { body.push(Buffer.from(piece)); };
  parser[HTTPParser.kOnMessageComplete] = () => { ended = !interim; };
  try {
    let at = 0;
    // Byte by byte, to see where it ends.
    for (; at < data.length && !ended; at++) {
      const result = parser.execute(data.subarray(at, at + 1));
      if (result instanceof Error) throw result;
    }
    if (!ended) {
      const result = parser.finish();
      if (result instanceof Error) throw result;
    }
    if (!ended) throw new Error("it isn't whole");
    const pairs = [];
    let ofProxy = false;
    for (let i = 0; i < head.fields.length; i += 2) {
      ofProxy ||= head.fields[i].toLowerCase() === 'proxy-connection';
      pairs.push([head.fields[i], Buffer.from(head.fields[i + 1], 'latin1').toString('hex')]);
    }
    return {
      status: head.status,
      fields: pairs,
      body: Buffer.concat(body).toString('hex'),
      rest: data.subarray(at).toString('hex'),
      // To HEAD it answers before it learns that there is no body; and it takes Proxy-Connection
      // for Connection.
      goes_on: method === 'HEAD' || ofProxy ? null : head.goesOn,
    };
  } catch (error) {
    return { refused: `${error.code ?? ''} ${error.reason ?? error.message}` };
  } finally {
    parser.close();
  }
}

for (const line of readFileSync(process.argv[2], 'latin1').split('\n')) {
  if (!line) continue;
  const [method, hex] = line.split(' ');
  console.log(JSON.stringify(read(method, Buffer.from(hex, 'hex'))));
}
