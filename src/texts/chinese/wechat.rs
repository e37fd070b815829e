use super::Table;

pub(super) const TABLE: Table = &[
    ("WeChat is busy", "系统繁忙"),
    ("the access token is not valid, or not the latest", "access_token 无效或不是最新的"),
    ("the grant_type is not valid", "grant_type 不正确"),
    ("the openid is not valid, or another account's", "openid 不正确，或属于其他账号"),
    ("the media type is not valid", "媒体文件类型不正确"),
    ("the file type is not valid", "文件类型不正确"),
    ("the file is too large", "文件大小超出限制"),
    ("the media_id is not valid, or has expired", "media_id 无效或已过期"),
    ("the message type is not valid", "消息类型不正确"),
    ("the picture is too large", "图片大小超出限制"),
    ("the appid is not valid", "appid 不正确"),
    ("the access token is not valid", "access_token 不正确"),
    ("the code is not valid, or was used already", "code 无效或已被使用"),
    ("the request contains characters that are not allowed", "请求包含不允许的字符"),
    ("a parameter is not valid", "参数不正确"),
    ("the template_id's length is not valid", "template_id 长度不正确"),
    ("the template_id is not valid", "template_id 不正确"),
    ("the URL is not valid", "URL 不正确"),
    ("the temporary code is unknown, or was used or has expired", "临时授权码不存在、已被使用或已过期"),
    ("the suite's or the provider's token is not valid", "套件或服务商的 token 无效"),
    ("the company's permanent code is not valid", "企业的永久授权码无效"),
    ("the suite_ticket is not valid", "suite_ticket 无效"),
    ("the id of an app of the suite is not valid", "套件中应用的 ID 不正确"),
    ("the app secret is not valid", "AppSecret 不正确"),
    ("the code was used already", "code 已被使用"),
    ("the caller's address is not in the IP whitelist", "调用地址不在 IP 白名单中"),
    ("the user is blocked as a risk", "高风险用户，已被拦截"),
    ("the app secret is frozen", "AppSecret 已被冻结"),
    ("the access token is missing", "缺少 access_token"),
    ("the appid is missing", "缺少 appid"),
    ("the app secret is missing", "缺少 AppSecret"),
    ("the suite's token is missing", "缺少 suite_access_token"),
    ("the form_id is not valid, or has expired", "form_id 无效或已过期"),
    ("the page's path is not valid", "page 路径不正确"),
    ("the access token has expired", "access_token 已过期"),
    ("the user's refresh token has expired", "用户的 refresh_token 已过期"),
    ("the suite's token has expired", "套件的 token 已过期"),
    ("the user changed the password and must authorise again", "用户修改了密码，需要重新授权"),
    ("the call must be a POST", "需要使用 POST 请求"),
    ("the call must use HTTPS", "需要使用 HTTPS 请求"),
    ("the user doesn't follow the account", "用户未关注公众号"),
    ("the user refused the message", "用户拒绝接收消息"),
    ("the request's body is empty", "请求体为空"),
    ("the text is too long", "内容长度超出限制"),
    ("the day's quota of calls is used up, or a minute's", "接口调用次数已达到当日上限，或分钟频率上限"),
    ("too many calls in a minute", "调用过于频繁，请下一分钟再试"),
    ("the user's last message is too old to be replied to", "回复超出时间限制"),
    ("too many calls at the same time", "并发调用超出限制"),
    ("too many messages to this user", "客服消息下行条数超出限制"),
    ("calls with this clientmsgid come too fast", "clientmsgid 调用过快"),
    ("the media does not exist", "媒体数据不存在"),
    ("the menu does not exist", "菜单数据不存在"),
    ("the user does not exist", "用户不存在"),
    ("the body can't be parsed as JSON or XML", "请求体无法解析为 JSON/XML"),
    ("a template's value is not valid", "模板参数不正确"),
    ("the account has no permission for this endpoint", "该账号没有此接口的权限"),
    ("the user refuses messages", "用户拒收消息"),
    ("the endpoint is banned for this account", "该账号的此接口已被封禁"),
    ("the quota was cleared as often as is allowed this month", "本月清零次数已用完"),
    ("the user has not granted this", "用户未授权该接口"),
    ("the user or account is restricted", "用户或账号受限"),
    ("the account is frozen", "账号已被冻结"),
    ("publishing is banned", "发布功能被封禁"),
    ("the member, department or tag is outside the app's permissions", "应用对该成员、部门或标签没有权限"),
    ("the account has not authorised this third-party platform", "该账号未授权此第三方平台"),
    ("the account has not granted this permission to the platform", "该账号未将此权限授予第三方平台"),
    ("the authorizer's refresh token is not valid", "授权方的 refresh_token 无效"),
    ("the request is unknown, or older than seven days", "rid 不存在或已超过 7 天"),
    ("the path is unknown", "cgi_path 不存在"),
    ("the mini program has no online version", "小程序没有线上版本"),
    ("the content is risky", "内容含有违法违规内容"),
    ("the account may not use comments", "没有留言权限"),
    ("the administrator must confirm the call", "此次调用需要管理员确认"),
    ("the secret of the WeCom app is wrong", "企业微信应用的 secret 错误"),
    (
        "Set the app's current secret in the configuration (work.weixin.qq.com, app management); each app \
         of the company has its own.",
        "把该应用当前的 secret 填进配置（work.weixin.qq.com，应用管理）；同一企业的每个应用各有一个。",
    ),
    ("the corpid is not valid", "corpid 不正确"),
    (
        "Compare it with the one on work.weixin.qq.com (my company); it is case-sensitive and begins with \
         ww or wx.",
        "与 work.weixin.qq.com（我的企业）上的企业 ID 核对，区分大小写；它以 ww 或 wx 开头。",
    ),
    (
        "A code is good once, for ten minutes. Ask the company's administrator to authorise the app again, \
         or fetch the secret again in the provider's console.",
        "临时授权码 10 分钟内有效，只能使用一次。请企业管理员重新授权该应用，或在服务商后台重新获取 secret。",
    ),
    ("the suite's secret is wrong", "套件的 secret 错误"),
    (
        "Set the suite's current secret in the configuration (open.work.weixin.qq.com, service provider).",
        "把套件当前的 secret 填进配置（open.work.weixin.qq.com，服务商）。",
    ),
    ("Nothing to do if it is rare: wxgate replaces the token.", "偶尔出现不用处理，wxgate 会换新 token。"),
    ("the suite's id is not valid", "套件 ID 不正确"),
    (
        "Compare it with the one on open.work.weixin.qq.com; it begins with ww or tj.",
        "与 open.work.weixin.qq.com 上的核对；它以 ww 或 tj 开头。",
    ),
    (
        "Ask the company's administrator to authorise the app again; wxgate can't repair it.",
        "请企业管理员重新授权该应用；wxgate 无法自行修复。",
    ),
    (
        "Nothing to do if it is rare: the next ticket comes within ten minutes. Otherwise make sure WeCom \
         can reach the suite's callback URL.",
        "偶尔出现不用处理，十分钟内会收到下一个 ticket；经常出现的话，检查企业微信能否访问套件的回调地址。",
    ),
    (
        "Nothing to do: wxgate replaces the token. Check the machine's clock.",
        "不用处理，wxgate 会换新 token。检查一下本机时钟。",
    ),
    ("a limit on calls is used up", "接口调用次数已达上限"),
    (
        "Wait for the next minute, hour or day, depending on the limit. wxgate_caller_requests_total shows \
         who used it up.",
        "视具体是哪种上限，等到下一分钟、下一小时或第二天。谁用掉的，看 wxgate_caller_requests_total。",
    ),
    (
        "Nothing to do: wxgate tries again later. wxgate_caller_requests_total shows who sends the most.",
        "不用处理，wxgate 稍后会重试。哪个调用方发得最多，看 wxgate_caller_requests_total。",
    ),
    ("the suite's token is another suite's", "suite_access_token 属于另一个套件"),
    (
        "Make sure that the request uses the app with the right suite_id.",
        "检查请求用的是不是 suite_id 对应的应用。",
    ),
    ("the company has not authorised the app, or no longer does", "企业未授权该应用，或已取消授权"),
    ("this machine's address is not among the app's trusted addresses", "本机 IP 不在应用的企业可信 IP 中"),
    (
        "Add the address on work.weixin.qq.com (the app's page, the company's trusted IPs), for a suite on \
         open.work.weixin.qq.com (service provider, IP whitelist). Then run `wxgate refresh APP`, or wait 5 \
         minutes.",
        "在 work.weixin.qq.com 该应用的页面里，把该 IP 加进企业可信 IP；套件则在 open.work.weixin.qq.com\
         （服务商信息，IP 白名单）。然后运行 `wxgate refresh APP`，或者等 5 分钟。",
    ),
    ("Nothing to do: wxgate tries again with increasing delays.", "不用处理，wxgate 会以递增的间隔重试。"),
    ("the app secret is wrong, or the token is not the latest one", "AppSecret 错误，或 token 不是最新的"),
    (
        "At a token endpoint: set the secret of this appid in the configuration (mp.weixin.qq.com, \
         developer settings). Elsewhere: find who else fetches tokens with this secret, and use token_mode \
         = \"stable\".",
        "获取 token 时：把这个 AppID 的 secret 填进配置（mp.weixin.qq.com，开发者设置）。其他接口：找出还有\
         谁在用这个 secret 获取 token，并使用 token_mode = \"stable\"。",
    ),
    ("the grant_type is not accepted", "grant_type 不被接受"),
    (
        "Make sure upstream.base_urls points to WeChat and not to another proxy.",
        "检查 upstream.base_urls 指向的是微信，而不是另一个代理。",
    ),
    (
        "Compare appid with the one on mp.weixin.qq.com; it is case-sensitive and begins with wx.",
        "与 mp.weixin.qq.com 上的 AppID 核对，区分大小写；它以 wx 开头。",
    ),
    ("the access token is malformed or of another account", "access_token 格式不对，或属于其他账号"),
    (
        "Nothing to do if it is rare: wxgate replaces the token. Otherwise find who else writes to the \
         token store.",
        "偶尔出现不用处理，wxgate 会换新 token；经常出现的话，找出还有谁在写存放 token 的存储。",
    ),
    ("the app secret is wrong", "AppSecret 错误"),
    (
        "Set the current secret of this appid in the configuration; resetting it on mp.weixin.qq.com \
         changes it.",
        "把这个 AppID 当前的 secret 填进配置；在 mp.weixin.qq.com 上重置后，旧的就失效了。",
    ),
    ("this machine's address is not in the account's IP whitelist", "本机 IP 不在账号的 IP 白名单中"),
    (
        "Add the address to the IP whitelist on mp.weixin.qq.com (developer settings), then run `wxgate \
         refresh APP` or wait 5 minutes; or run wxgate on a machine whose address is in it.",
        "在 mp.weixin.qq.com（开发者设置）把该 IP 加进 IP 白名单，然后运行 `wxgate refresh APP` 或等 5 分钟\
         ；或者在白名单内的机器上运行 wxgate。",
    ),
    (
        "WeChat requires a signature here, and the request has none or not all of it",
        "微信要求签名，而请求没有签名或缺少签名头",
    ),
    (
        "Add the endpoint to app.signing.endpoints, or leave that out; uploads and requests other than POST \
         can't be signed.",
        "把该接口加进 app.signing.endpoints，或者不设这一项；上传和非 POST 的请求无法签名。",
    ),
    ("the request's signature is wrong", "请求的签名不正确"),
    (
        "Check app.signing.private_key: its public half must be the asymmetric key in WeChat's console.",
        "检查 app.signing.private_key：它的公钥必须与微信后台的非对称密钥一致。",
    ),
    ("the request's encryption is wrong", "请求的加密不正确"),
    (
        "Compare app.signing.aes_key and aes_key_sn with the symmetric key in WeChat's console.",
        "与微信后台的对称密钥核对 app.signing.aes_key 和 aes_key_sn。",
    ),
    ("the signed appid is not valid, or not the token's", "签名中的 appid 不正确，或与 token 不符"),
    (
        "Compare appid with the one on mp.weixin.qq.com, and make sure the request uses the right app.",
        "与 mp.weixin.qq.com 上的 AppID 核对，并确认请求用的是正确的应用。",
    ),
    ("the account has no symmetric key with this number", "账号没有这个编号的对称密钥"),
    ("the account has no asymmetric key", "账号没有配置非对称密钥"),
    (
        "Upload the public half of app.signing.private_key in WeChat's console (API security).",
        "在微信后台（API 安全）上传 app.signing.private_key 对应的公钥。",
    ),
    ("the signature's timestamp has expired", "签名的时间戳已过期"),
    ("Check the machine's clock.", "检查本机时钟。"),
    (
        "Unfreeze or reset the app secret on mp.weixin.qq.com (developer settings). Then run `wxgate \
         refresh APP`, or wait 5 minutes.",
        "在 mp.weixin.qq.com（开发者设置）解冻或重置 AppSecret，然后运行 `wxgate refresh APP`，或者等 5 分钟\
         。",
    ),
    ("the request had no access token", "请求没有 access_token"),
    (
        "The endpoint requires a token that was not sent. Report its path: wxgate's catalogue is wrong.",
        "该接口需要 token，但没有发出。请报告这个路径，是接口目录有误。",
    ),
    (
        "Set appid; make sure nothing between wxgate and WeChat removes it.",
        "填写 appid；检查 wxgate 与微信之间是否有东西把它去掉了。",
    ),
    (
        "Set secret; make sure its file or environment variable isn't empty.",
        "填写 secret；检查对应的文件或环境变量是否为空。",
    ),
    (
        "Make sure nothing between wxgate and WeChat turns POST into GET, such as a redirect.",
        "检查 wxgate 与微信之间是否有东西把 POST 变成了 GET，例如重定向。",
    ),
    ("the daily limit of calls is used up", "当日调用次数已用完"),
    (
        "Wait for midnight in Beijing, or clear the quota on mp.weixin.qq.com (ten times a month). \
         wxgate_caller_requests_total shows who used it up.",
        "等到北京时间零点，或者在 mp.weixin.qq.com 清零（每月十次）。谁用掉的，看 \
         wxgate_caller_requests_total。",
    ),
    (
        "Check the account's kind and permissions on mp.weixin.qq.com, and that the call is for the right \
         app.",
        "在 mp.weixin.qq.com 核对账号类型和接口权限，并确认请求用的是正确的应用。",
    ),
    (
        "Log in to mp.weixin.qq.com and read the notice about the ban.",
        "登录 mp.weixin.qq.com，查看封禁通知。",
    ),
    ("Wait for the next month, or for midnight in Beijing.", "等到下个月，或者等到北京时间零点。"),
    ("the account is restricted", "账号受限"),
    ("Log in to mp.weixin.qq.com and read the notice about it.", "登录 mp.weixin.qq.com，查看相关通知。"),
    ("the account may not use this endpoint", "该账号不能使用此接口"),
    ("Check the account's state on mp.weixin.qq.com.", "在 mp.weixin.qq.com 查看账号状态。"),
    (
        "Log in to mp.weixin.qq.com and have the account unfrozen. Then run `wxgate refresh APP`, or wait 5 \
         minutes.",
        "登录 mp.weixin.qq.com，申请解冻账号，然后运行 `wxgate refresh APP`，或者等 5 分钟。",
    ),
    (
        "this machine's address is not in the third-party platform's IP whitelist",
        "本机 IP 不在第三方平台的 IP 白名单中",
    ),
    (
        "Add the address to the platform's IP whitelist on open.weixin.qq.com. Then run `wxgate refresh \
         APP`, or wait 5 minutes.",
        "在 open.weixin.qq.com 把该 IP 加进平台的 IP 白名单，然后运行 `wxgate refresh APP`，或者等 5 分钟。",
    ),
    ("the component_verify_ticket has expired", "component_verify_ticket 已过期"),
    (
        "Nothing to do if it is rare: WeChat pushes a ticket every ten minutes, and wxgate uses the next \
         one. Otherwise make sure WeChat can reach the platform's callback URL.",
        "偶尔出现不用处理，微信每十分钟推送一个 ticket，wxgate 会用下一个；经常出现的话，检查微信能否访问平\
         台的回调地址。",
    ),
    ("the component_verify_ticket is not valid", "component_verify_ticket 无效"),
    (
        "Nothing to do if it is rare: wxgate uses the next ticket that is pushed. Otherwise make sure the \
         callback receives this platform's tickets.",
        "偶尔出现不用处理，wxgate 会用下一个推送的 ticket；经常出现的话，检查回调收到的 ticket 是否属于这个\
         平台。",
    ),
    (
        "the account has not granted this permission to the third-party platform",
        "该账号未将此权限授予第三方平台",
    ),
    (
        "Ask the account's administrator to authorise the platform again, with this permission.",
        "请账号管理员重新授权该平台，并勾选此权限。",
    ),
    ("the component_appid is not valid", "component_appid 不正确"),
    ("Compare it with the one on open.weixin.qq.com.", "与 open.weixin.qq.com 上的核对。"),
    (
        "Ask the account's administrator to authorise the platform again; wxgate can't repair it.",
        "请账号管理员重新授权该平台；wxgate 无法自行修复。",
    ),
    ("the account's administrator must confirm this machine's address", "需要账号管理员确认本机 IP"),
    (
        "Ask the administrator to confirm it in WeChat, or add the address to the IP whitelist. Then run \
         `wxgate refresh APP`, or wait 5 minutes.",
        "请管理员在微信里确认，或者把该 IP 加进 IP 白名单，然后运行 `wxgate refresh APP`，或者等 5 分钟。",
    ),
    ("the account's administrator must confirm the call", "需要账号管理员确认此次调用"),
    (
        "Ask the administrator to confirm the message from WeChat, or add the address to the IP whitelist. \
         Then run `wxgate refresh APP`, or wait 5 minutes.",
        "请管理员确认微信发出的消息，或者把该 IP 加进 IP 白名单，然后运行 `wxgate refresh APP`，或者等 5 分\
         钟。",
    ),
    (
        "the administrator refused this machine's address; the next request is possible after 24 hours",
        "管理员拒绝了本机 IP，24 小时后才能再次申请",
    ),
    (
        "Add the address to the IP whitelist on mp.weixin.qq.com and run `wxgate refresh APP`, or wait a \
         day.",
        "在 mp.weixin.qq.com 把该 IP 加进 IP 白名单并运行 `wxgate refresh APP`，或者等一天。",
    ),
    (
        "the administrator refused this machine's address; the next request is possible after an hour",
        "管理员拒绝了本机 IP，1 小时后才能再次申请",
    ),
    (
        "Add the address to the IP whitelist on mp.weixin.qq.com and run `wxgate refresh APP`, or wait an \
         hour.",
        "在 mp.weixin.qq.com 把该 IP 加进 IP 白名单并运行 `wxgate refresh APP`，或者等一小时。",
    ),
    ("WeChat requires the administrator to confirm this machine's address", "需要管理员确认本机 IP"),
    (
        "Add the address to the IP whitelist on mp.weixin.qq.com. Then run `wxgate refresh APP`, or wait 5 \
         minutes.",
        "在 mp.weixin.qq.com 把该 IP 加进 IP 白名单，然后运行 `wxgate refresh APP`，或者等 5 分钟。",
    ),
    (
        "is not base64, expected the symmetric key (对称密钥) as WeChat's console shows it",
        "不是 base64，应为微信后台显示的对称密钥",
    ),
    (
        "has 16 bytes, like a key for SM4, which is not supported yet; choose AES256 in WeChat's console",
        "长度为 16 字节，像是 SM4 的密钥，目前还不支持；请在微信后台选择 AES256",
    ),
    ("has {length} bytes, expected the 32 of AES256", "长度为 {length} 字节，AES256 应为 32 字节"),
    (
        "holds no valid private key in PEM, expected the RSA key (非对称密钥) without a password",
        "不含有效的 PEM 私钥，应为不带密码的 RSA 非对称密钥",
    ),
    (
        "holds a key that is not RSA (SM2 is not supported yet); choose RSA in WeChat's console",
        "不是 RSA 密钥（目前还不支持 SM2）；请在微信后台选择 RSA",
    ),
    (
        "holds an RSA key that cannot be used ({reason}), expected one of 2,048 to 4,096 bits",
        "RSA 密钥无法使用（{reason}），长度应为 2048 至 4096 位",
    ),
    (
        "holds no valid certificate in PEM, expected the platform certificate (平台证书) from WeChat's \
         console",
        "不含有效的 PEM 证书，应为从微信后台下载的平台证书",
    ),
    (
        "holds several certificates, expected only the platform certificate (平台证书)",
        "含有多个证书，只应有平台证书一个",
    ),
    (
        "holds a certificate whose key is not RSA (SM2 is not supported yet); choose RSA in WeChat's console",
        "证书的密钥不是 RSA（目前还不支持 SM2）；请在微信后台选择 RSA",
    ),
    (
        "holds a certificate of private_key, expected the platform certificate (平台证书) from WeChat's \
         console",
        "是 private_key 的证书，应为从微信后台下载的平台证书",
    ),
    (
        "holds a certificate with an RSA key of {bits} bits, expected 2,048 or more",
        "证书的 RSA 密钥只有 {bits} 位，至少应为 2048 位",
    ),
    (
        "the body is not a JSON object (line {line}, column {column})",
        "请求体不是 JSON 对象（第 {line} 行第 {column} 列）",
    ),
    ("the body is not UTF-8", "请求体不是 UTF-8"),
    ("a query parameter is not UTF-8", "有一个查询参数不是 UTF-8"),
    ("{name} is given twice in query and body together", "{name} 在查询参数和请求体中一共出现了两次"),
    ("{name} is added by signing", "{name} 由签名时添加，不能自带"),
    ("it is not signed and reports no error", "响应没有签名，也没有报告错误"),
    ("it lacks the header {header}", "响应缺少响应头 {header}"),
    ("it is signed for another account", "响应是为其他账号签名的"),
    (
        "its timestamp differs from this machine's clock by more than 300 s",
        "响应的时间戳与本机时钟相差超过 300 秒",
    ),
    (
        "it is signed with certificate {serial}, which is not configured \
         (app.signing.platform_certificate_sn)",
        "响应由证书 {serial} 签名，而它没有配置（app.signing.platform_certificate_sn）",
    ),
    ("its body is not a ciphertext in WeChat's format", "响应体不是微信格式的密文"),
    (
        "it cannot be decrypted with the configured key (app.signing.aes_key, aes_key_sn)",
        "用配置的密钥无法解密（app.signing.aes_key、aes_key_sn）",
    ),
    (
        "its plaintext is not a JSON object with _appid and _timestamp",
        "解密后的内容不是带有 _appid 和 _timestamp 的 JSON 对象",
    ),
    ("too many signed responses are being read (replay.memory)", "正在读取的签名响应太多（replay.memory）"),
    ("could not sign the request", "无法为请求签名"),
    (
        "msg_signature, timestamp, nonce or the encrypted part is missing, given twice or malformed",
        "msg_signature、timestamp、nonce 或加密内容缺失、重复或格式不对",
    ),
    (
        "the signature is wrong: it is not from WeChat, or the token set here differs from the one set at \
         WeChat",
        "签名不正确：不是微信发来的，或这里的 Token 与微信后台的不一致",
    ),
    (
        "the signature is right but the content can't be decrypted: the EncodingAESKey set here differs \
         from the one set at WeChat",
        "签名正确但内容无法解密：这里的 EncodingAESKey 与微信后台的不一致",
    ),
    ("it is for another platform", "是发给其他平台的"),
    ("it is not an event of a third-party platform or a suite", "不是第三方平台或套件的事件"),
    (
        "is not an EncodingAESKey, expected the 43 letters and digits set with the callback URL at WeChat",
        "不是 EncodingAESKey，应为在微信后台与回调地址一起设置的 43 位字母和数字",
    ),
    ("the app's token", "应用的 token"),
    ("the platform's token", "平台的 token"),
    ("the token with which the platform acts for the account", "平台代该账号调用的 token"),
    ("the suite's token", "套件的 token"),
    ("the token with which the suite acts for the company", "套件代企业调用接口所用的 token"),
    ("the provider's token", "服务商的 token"),
    ("the app's access token", "应用的 access_token"),
    (
        "the app's access token, or a third-party platform's for itself",
        "应用的 access_token，或第三方平台自己的 token",
    ),
    ("a third-party platform's token", "第三方平台的 token"),
    (
        "the user's own OAuth token or code, which the caller sends; wxgate changes nothing",
        "用户自己的 OAuth token 或 code，由调用方发送；wxgate 不改动",
    ),
    ("the app's appid and secret in the query", "查询参数中的应用 appid 和 secret"),
    ("a third-party platform's appid and secret in the query", "查询参数中的第三方平台 appid 和 secret"),
    (
        "appid; where callers are configured, the caller's key as secret",
        "appid；配置了调用方时，以调用方的 key 作为 secret",
    ),
    ("none that a caller may have: it hands out credentials", "调用方不能使用：它发放凭证"),
    ("a WeCom suite's token", "企业微信套件的 token"),
    ("a WeCom provider's token", "企业微信服务商的 token"),
    (
        "a device's or its model's token, which the caller sends; wxgate keeps none",
        "设备或型号的 token，由调用方发送；wxgate 不保存",
    ),
];
