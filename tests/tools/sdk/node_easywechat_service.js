
const FormData = require('form-data');

const client = app.getClient();
// New each time: the SDK writes into what it is given.
const binary = () => ({ responseType: 'arraybuffer' });

async function user(client, openid) {
  const info = () => client.get('cgi-bin/user/info', { params: { openid } });
  const found = (await call('/cgi-bin/user/info', info)).toObject();
  assert.strictEqual(found.openid, openid, JSON.stringify(found));
}

day(
  async (openid, file) => {
    await user(client, openid);
    const template = { touser: openid, template_id: 'TEMPLATE', data: { first: { value: '\u8ba2\u5355 \u2713' } } };
    const send = () => client.postJson('cgi-bin/message/template/send', template);
    const sent = (await call('/cgi-bin/message/template/send', send)).toObject();
    const formData = new FormData();
    formData.append('media', file, { filename: 'picture.jpg', contentType: 'image/jpeg' });
    const upload = () => client.post('cgi-bin/media/upload', { params: { type: 'image' }, formData });
    const { media_id } = (await call('/cgi-bin/media/upload', upload)).toObject();
    const download = () => client.get('cgi-bin/media/get', { params: { media_id }, ...binary() });
    const downloaded = (await call('/cgi-bin/media/get', download)).getContent();
    const draw = () => client.postJson('wxa/getwxacode', { path: 'pages/index' }, binary());
    const code = (await call('/wxa/getwxacode', draw)).getContent();
    // A cached ticket is no call.
    app.setTicket(null);
    await app.getCache().delete(`official_account.jsapi_ticket.${appid}`);
    const ticket = await kept('/cgi-bin/ticket/getticket', () => app.getTicket().getTicket());
    return { message: sent.msgid, file, downloaded, code, ticket };
  },
  async () => {
    const config = { ...app.getConfig().all(), use_stable_access_token: true };
    await user(new OfficialAccount(config).getClient(), 'stable');
  },
);
