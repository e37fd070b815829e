//! What operators are told of codes, in Chinese. An English text that changes is no longer found
//! here, and the test of the page fails until its translation has been looked at.

pub(super) fn chinese(english: &str) -> Option<&'static str> {
    TABLE.iter().find(|(said, _)| *said == english).map(|(_, chinese)| *chinese)
}

pub(super) const TABLE: &[(&str, &str)] = &[
    // Meanings that the callers' table doesn't have.
    ("the suite's secret is wrong", "套件的 secret 错误"),
    ("the suite's or the provider's token is not valid", "套件或服务商的 token 无效"),
    ("the suite's id is not valid", "套件 ID 不正确"),
    ("the company's permanent code is not valid", "企业的永久授权码无效"),
    ("the suite_ticket is not valid", "suite_ticket 无效"),
    ("the suite's token has expired", "套件的 token 已过期"),
    ("the account may not use this endpoint", "该账号不能使用此接口"),
    ("this machine's address is not among the app's trusted addresses", "本机 IP 不在应用的企业可信 IP 中"),
    (
        "this machine's address is not in the third-party platform's IP whitelist",
        "本机 IP 不在第三方平台的 IP 白名单中",
    ),
    ("the component_verify_ticket has expired", "component_verify_ticket 已过期"),
    ("the component_verify_ticket is not valid", "component_verify_ticket 无效"),
    ("the component_appid is not valid", "component_appid 不正确"),
    ("the account's administrator must confirm this machine's address", "需要账号管理员确认本机 IP"),
    (
        "the administrator refused this machine's address; it may not be asked for again within 24 hours",
        "管理员拒绝了本机 IP，24 小时内不能再次申请",
    ),
    (
        "the administrator refused this machine's address; it may not be asked for again within an hour",
        "管理员拒绝了本机 IP，1 小时内不能再次申请",
    ),
    ("WeChat wants the administrator's word on this machine's address", "需要管理员确认本机 IP"),
    // Remedies.
    ("Nothing to do: it is tried again with growing pauses.", "不用处理，会以递增的间隔重试。"),
    (
        "At a token endpoint: put the secret of this appid into the configuration (mp.weixin.qq.com, developer settings). \
         Elsewhere: find who else fetches tokens with this secret, and use token_mode = \"stable\".",
        "取 token 时：把这个 AppID 的 secret 填进配置（mp.weixin.qq.com，开发者设置）。其他接口：找出还有谁在用这个 secret 取 token，\
         并使用 token_mode = \"stable\"。",
    ),
    (
        "Put the app's current secret into the configuration (work.weixin.qq.com, app management); each app of the company \
         has its own.",
        "把该应用当前的 secret 填进配置（work.weixin.qq.com，应用管理）；同一企业的每个应用各有一个。",
    ),
    (
        "Check that upstream.base_urls leads to WeChat and not to another proxy.",
        "检查 upstream.base_urls 指向的是微信，而不是另一个代理。",
    ),
    (
        "Compare appid, case included, with the one on mp.weixin.qq.com; it begins with wx.",
        "与 mp.weixin.qq.com 上的 AppID 核对，区分大小写；它以 wx 开头。",
    ),
    (
        "Compare it, case included, with the one on work.weixin.qq.com (my company); it begins with ww or wx.",
        "与 work.weixin.qq.com（我的企业）上的企业 ID 核对，区分大小写；它以 ww 或 wx 开头。",
    ),
    (
        "Nothing to do if it is rare: the token is replaced. If not, find who else writes to the token store.",
        "偶尔出现不用处理，token 会换新；经常出现的话，找出还有谁在写存放 token 的存储。",
    ),
    ("Nothing to do if it is rare: the token is replaced.", "偶尔出现不用处理，token 会换新。"),
    (
        "Put the suite's current secret into the configuration (open.work.weixin.qq.com, service provider).",
        "把套件当前的 secret 填进配置（open.work.weixin.qq.com，服务商）。",
    ),
    (
        "Compare it with the one on open.work.weixin.qq.com; it begins with ww or tj.",
        "与 open.work.weixin.qq.com 上的核对；它以 ww 或 tj 开头。",
    ),
    (
        "Have the company's administrator authorise the app again; it can't be repaired from here.",
        "请企业管理员重新授权该应用；从这边无法修复。",
    ),
    (
        "Nothing to do if it is rare: the next ticket comes within ten minutes. If not, see that the suite's callback is \
         reachable.",
        "偶尔出现不用处理，十分钟内会收到下一个 ticket；经常出现的话，检查套件的回调地址能否访问。",
    ),
    (
        "Put the current secret of this appid into the configuration; it changes when somebody resets it on \
         mp.weixin.qq.com.",
        "把这个 AppID 当前的 secret 填进配置；有人在 mp.weixin.qq.com 上重置过，它就变了。",
    ),
    (
        "Add the address to the IP whitelist on mp.weixin.qq.com (developer settings), then run `wxgate refresh APP` or \
         wait 5 minutes; or run wxgate on a machine whose address is in it.",
        "在 mp.weixin.qq.com（开发者设置）把该地址加进 IP 白名单，然后运行 `wxgate refresh APP` 或等 5 分钟；\
         或者在白名单内的机器上运行 wxgate。",
    ),
    (
        "Unfreeze or reset the app secret on mp.weixin.qq.com (developer settings). \
         Then run `wxgate refresh APP`, or wait 5 minutes.",
        "在 mp.weixin.qq.com（开发者设置）解冻或重置 AppSecret，然后运行 `wxgate refresh APP`，或者等 5 分钟。",
    ),
    (
        "The endpoint demands a token that was not sent: report the path, the catalogue has it wrong.",
        "该接口需要的 token 没有发出：请报告这个路径，是接口目录有误。",
    ),
    (
        "Set appid; see that nothing on the way to WeChat drops it.",
        "填写 appid；检查去往微信的途中是否有东西把它去掉了。",
    ),
    (
        "Set secret; see that its file or variable isn't empty.",
        "填写 secret；检查对应的文件或环境变量是否为空。",
    ),
    (
        "Nothing to do: the token is replaced. Check the machine's clock.",
        "不用处理，token 会换新。检查一下本机时钟。",
    ),
    (
        "See that nothing on the way to WeChat turns POST into GET, such as a redirect.",
        "检查去往微信的途中是否有东西把 POST 变成了 GET，例如重定向。",
    ),
    (
        "Wait for midnight in Beijing, or clear the quota (ten times a month) on mp.weixin.qq.com. See \
         wxgate_caller_requests_total for who spent it.",
        "等到北京时间零点，或者在 mp.weixin.qq.com 清零（每月十次）。谁用掉的，看 wxgate_caller_requests_total。",
    ),
    (
        "Wait for the next minute, hour or day, whichever limit it was. See wxgate_caller_requests_total for who spent it.",
        "视具体是哪种上限，等到下一分钟、下一小时或第二天。谁用掉的，看 wxgate_caller_requests_total。",
    ),
    (
        "Nothing to do: it is tried again later. See wxgate_caller_requests_total for who sends the most.",
        "不用处理，稍后会重试。谁发得最多，看 wxgate_caller_requests_total。",
    ),
    (
        "Check the account's kind and permissions on mp.weixin.qq.com, and that the call is for the right app.",
        "在 mp.weixin.qq.com 核对账号类型和接口权限，并确认请求用的是正确的应用。",
    ),
    (
        "Log in to mp.weixin.qq.com and read the notice about the ban.",
        "登录 mp.weixin.qq.com，查看封禁通知。",
    ),
    ("Wait for the next month, or for midnight in Beijing.", "等到下个月，或者等到北京时间零点。"),
    ("Log in to mp.weixin.qq.com and read the notice about it.", "登录 mp.weixin.qq.com，查看相关通知。"),
    ("Check the account's state on mp.weixin.qq.com.", "在 mp.weixin.qq.com 查看账号状态。"),
    (
        "Log in to mp.weixin.qq.com and have the account unfrozen. Then run `wxgate refresh APP`, or wait 5 minutes.",
        "登录 mp.weixin.qq.com，申请解冻账号，然后运行 `wxgate refresh APP`，或者等 5 分钟。",
    ),
    (
        "Add the address on work.weixin.qq.com (the app's page, trusted IPs of the company). \
         Then run `wxgate refresh APP`, or wait 5 minutes.",
        "在 work.weixin.qq.com 该应用的页面里，把该地址加进企业可信 IP，然后运行 `wxgate refresh APP`，或者等 5 分钟。",
    ),
    (
        "Add the address to the platform's IP whitelist on open.weixin.qq.com. \
         Then run `wxgate refresh APP`, or wait 5 minutes.",
        "在 open.weixin.qq.com 把该地址加进平台的 IP 白名单，然后运行 `wxgate refresh APP`，或者等 5 分钟。",
    ),
    (
        "Nothing to do if it is rare: WeChat pushes a ticket every ten minutes, and the next one is used. If not, see that \
         the platform's callback is reachable.",
        "偶尔出现不用处理，微信每十分钟推送一个 ticket，会用下一个；经常出现的话，检查平台的回调地址能否访问。",
    ),
    (
        "Nothing to do if it is rare: the next pushed ticket is used. If not, see that the callback's tickets are of this \
         platform.",
        "偶尔出现不用处理，会用下一个推送的 ticket；经常出现的话，检查回调收到的 ticket 是否属于这个平台。",
    ),
    (
        "Have the account's administrator authorise the platform again, with this permission.",
        "请账号管理员重新授权该平台，并勾选此权限。",
    ),
    ("Compare it with the one on open.weixin.qq.com.", "与 open.weixin.qq.com 上的核对。"),
    (
        "Have the account's administrator authorise the platform again; it can't be repaired from here.",
        "请账号管理员重新授权该平台；从这边无法修复。",
    ),
    (
        "Have the administrator confirm it in WeChat, or add the address to the IP whitelist. \
         Then run `wxgate refresh APP`, or wait 5 minutes.",
        "请管理员在微信里确认，或者把该地址加进 IP 白名单，然后运行 `wxgate refresh APP`，或者等 5 分钟。",
    ),
    (
        "Have the administrator confirm the message that WeChat sent, or add the address to the IP whitelist. \
         Then run `wxgate refresh APP`, or wait 5 minutes.",
        "请管理员确认微信发出的消息，或者把该地址加进 IP 白名单，然后运行 `wxgate refresh APP`，或者等 5 分钟。",
    ),
    (
        "Add the address to the IP whitelist on mp.weixin.qq.com and run `wxgate refresh APP`, or wait a day.",
        "在 mp.weixin.qq.com 把该地址加进 IP 白名单并运行 `wxgate refresh APP`，或者等一天。",
    ),
    (
        "Add the address to the IP whitelist on mp.weixin.qq.com and run `wxgate refresh APP`, or wait an hour.",
        "在 mp.weixin.qq.com 把该地址加进 IP 白名单并运行 `wxgate refresh APP`，或者等一小时。",
    ),
    (
        "Add the address to the IP whitelist on mp.weixin.qq.com. Then run `wxgate refresh APP`, or wait 5 minutes.",
        "在 mp.weixin.qq.com 把该地址加进 IP 白名单，然后运行 `wxgate refresh APP`，或者等 5 分钟。",
    ),
];
