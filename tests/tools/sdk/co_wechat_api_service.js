
day(async (openid, file) => {
  const user = await call('/cgi-bin/user/info', () => api.getUser(openid));
  assert.strictEqual(user.openid, openid);
  const data = { first: { value: '\u8ba2\u5355 \u2713' } };
  const sent = await call('/cgi-bin/message/template/send', () => api.sendTemplate(openid, 'TEMPLATE', '', '', data));
  const upload = () => api.uploadMedia(file, 'image', 'picture.jpg', 'image/jpeg');
  const uploaded = await call('/cgi-bin/media/upload', upload);
  const downloaded = await call('/cgi-bin/media/get', () => api.getMedia(uploaded.media_id));
  const code = await call('/wxa/getwxacode', () => api.getWXACode('pages/index'));
  const { ticket } = await kept('/cgi-bin/ticket/getticket', () => api.getTicket());
  const scene = await call('/cgi-bin/qrcode/create', () => api.createTmpQRCode(openid, 60));
  assert(scene.ticket, JSON.stringify(scene));
  return { message: sent.msgid, file, downloaded, code, ticket };
});
