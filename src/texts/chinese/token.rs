use super::Table;

pub(super) const TABLE: Table = &[
    ("WeChat has pushed no ticket in the last twelve hours", "微信在过去 12 小时内没有推送 ticket"),
    (
        "Make sure WeChat can reach the callback ([callback] listen) at the URL that is set on \
         open.weixin.qq.com; it pushes a ticket every ten minutes.",
        "检查微信能否通过 open.weixin.qq.com 上设置的地址访问回调（[callback] listen）；微信每十分钟推送一个 \
         ticket。",
    ),
    (
        "loop: the response to the token request is a placeholder token of wxgate",
        "环路：获取 token 的响应是 wxgate 的占位 token",
    ),
    (
        "WeChat's host name leads to a wxgate: correct this machine's DNS, hosts file or upstream.base_urls.",
        "微信的域名指向了 wxgate：请修正本机的 DNS、hosts 文件或 upstream.base_urls。",
    ),
    ("{message}; remedy: {remedy}", "{message}；处理办法：{remedy}"),
    ("WeChat answered {code} ({message})", "微信返回 {code}（{message}）"),
    (
        "WeChat answered {code} ({message}); remedy: {remedy}",
        "微信返回 {code}（{message}）；处理办法：{remedy}",
    ),
    ("the token has expired", "token 已过期"),
    ("there is no token yet", "还没有 token"),
    ("{failure}; next attempt in {seconds} s", "{failure}；{seconds} 秒后重试"),
    (
        "too many token requests brought no new token; wxgate pauses to save WeChat's quota",
        "多次获取都没有得到新 token；为节省微信的配额，wxgate 暂停获取",
    ),
    (
        "the store is down, and replicas that fetch without it invalidate each other's token",
        "存储不可用，各副本自行获取 token 会使彼此的 token 失效",
    ),
    ("could not read from the store: {error}", "无法读取存储：{error}"),
    ("WeChat refused this refresh token for good", "微信已永久拒绝这个 refresh_token"),
    ("the account revoked its authorisation", "该账号已取消授权"),
    (
        "the refresh token in WeChat's response is malformed; keeping the previous one",
        "微信响应中的 refresh_token 格式不对；继续使用原来的",
    ),
    (
        "new refresh token not saved yet; will retry: {error}",
        "新的 refresh_token 尚未存入存储，将重试：{error}",
    ),
    (
        "a refresh token could not be saved to the store yet: {error}",
        "refresh_token 还未能存入存储：{error}",
    ),
    (
        "no token; circuit open, requests do not trigger a fetch: {failure}",
        "没有 token；已熔断，请求不会触发获取：{failure}",
    ),
    ("no token: {failure}", "没有 token：{failure}"),
    (
        "WeChat keeps handing out a token that it rejects, and can't be forced to replace it",
        "微信一直返回它自己拒绝的 token，且无法强制刷新",
    ),
    (
        "WeChat keeps handing out a token that it rejects, and no forced refresh is allowed yet",
        "微信一直返回它自己拒绝的 token，且目前还不能强制刷新",
    ),
    (
        "WeChat hands out a token that it rejects, even after a forced refresh",
        "强制刷新后，微信返回的仍是它自己拒绝的 token",
    ),
    ("another replica has been fetching for too long", "另一个副本获取 token 的时间过长"),
    ("token replaced", "token 已更换"),
    (
        "a classic token became invalid long before its end: another party fetches tokens with this app's \
         secret",
        "经典模式的 token 远未到期就失效了：有其他程序在用该应用的 secret 获取 token",
    ),
    (
        "WeChat replaced a stable token long before its end: another party fetches tokens with this app's \
         secret",
        "微信在远未到期时更换了稳定版 token：有其他程序在用该应用的 secret 获取 token",
    ),
    ("took over a lease that was no longer renewed", "接管了一个不再续期的租约"),
    ("could not save the token to the store: {error}", "无法把 token 存入存储：{error}"),
    (
        "endpoint rejected a valid token; its rejections are ignored for 30 s",
        "该接口拒绝了有效的 token；30 秒内忽略它的拒绝",
    ),
    ("WeChat still hands out the token that it rejects", "微信返回的仍是它自己拒绝的 token"),
    ("WeChat returned HTTP status {status}", "微信返回 HTTP 状态码 {status}"),
    ("WeChat's response is not a JSON object", "微信的响应不是 JSON 对象"),
    ("WeChat's response has no well-formed {field}", "微信的响应中没有格式正确的 {field}"),
    ("WeChat's response repeats in {field} what was sent", "微信的响应在 {field} 中重复了发出的内容"),
    ("WeChat's response has no plausible expires_in", "微信的响应中没有合理的 expires_in"),
    ("the app has no {key}", "该应用没有配置 {key}"),
    (
        "Add {address} to the account's IP whitelist (公众平台 > 设置与开发 > 基本配置 > IP白名单), then \
         run `wxgate refresh APP`, or wait 5 minutes.",
        "把 {address} 加进该账号的 IP 白名单（公众平台 > 设置与开发 > 基本配置 > IP白名单），然后运行 \
         `wxgate refresh APP`，或者等 5 分钟。",
    ),
    ("WeChat's response lacks the account or the refresh token", "微信的响应中缺少账号或 refresh_token"),
    ("WeChat rejects it with {errcode}", "微信以 {errcode} 拒绝它"),
    ("the credential to fetch it with is not available: {cause}", "没有可用来获取它的凭证：{cause}"),
    ("the exchange of the code was interrupted", "换取授权码的过程被中断"),
    (
        "could not look up whether this account has authorised the platform: {error}",
        "无法查询该账号是否已授权给平台：{error}",
    ),
    (
        "could not save the refresh tokens in WeChat's response: {error}",
        "无法保存微信响应中的 refresh_token：{error}",
    ),
    ("saved refresh tokens that the store lacked", "已保存存储中缺少的 refresh_token"),
    ("the platform is not configured", "该平台没有配置"),
    ("could not save the refresh token to the store: {error}", "无法把 refresh_token 存入存储：{error}"),
    ("wxgate is shutting down", "wxgate 正在退出"),
    ("shutdown: aborted a token request that was still in progress", "退出：中止了仍在进行的 token 请求"),
    ("token task panicked; restarting it", "token 任务崩溃，正在重启"),
    ("no token within {wait}", "{wait} 内没有得到 token"),
    ("the app is being reconfigured, or wxgate is shutting down", "该应用正在重新配置，或 wxgate 正在退出"),
    ("{what}; {failure}", "{what}；{failure}"),
    ("WeCom had exchanged the code, but its answer was lost before it could be saved", "企业微信已兑换授权码，但响应在保存之前丢失"),
    ("WeCom's answer to the exchange of the code held no permanent code", "企业微信兑换授权码的响应中没有永久授权码"),
    ("WeCom refused the code, which wxgate had not used: another program exchanged it", "企业微信拒绝了授权码，而 wxgate 没有用过它：已被其他程序兑换"),
    ("the code expired before it could be exchanged, which takes a suite ticket and WeCom", "授权码在兑换之前已过期：兑换需要 suite_ticket，且能访问企业微信"),
    ("Ask the company's administrator to authorise the suite again.", "请该企业的管理员重新授权该套件。"),
    ("WeCom refused this permanent code for good", "企业微信不会再接受这个永久授权码"),
    ("WeCom's response lacks the permanent code", "企业微信的响应中没有永久授权码"),
    ("could not save the code to the store: {error}", "无法把授权码存入存储：{error}"),
    ("this is no code by which a company authorises a suite", "这不是企业授权套件时产生的授权码"),
    ("too many codes that WeCom has not pushed are being exchanged", "正在兑换的、企业微信尚未推送的授权码过多"),
    ("a company changed what it grants the suite", "有企业变更了对套件的授权"),
    ("a company removed the suite", "有企业取消了对套件的授权"),
    ("could not look up the permanent code of this company: {error}", "无法查询该企业的永久授权码：{error}"),
    ("could not exchange the code of a company yet; will retry: {failure}", "暂时无法兑换企业的授权码，将重试：{failure}"),
    ("another replica is exchanging it", "另一个副本正在兑换"),
    ("the code is not known any more", "该授权码已无记录"),
    ("what the store has of the code is damaged", "存储中该授权码的记录已损坏"),
    ("could not save the permanent code to the store: {error}", "无法把永久授权码存入存储：{error}"),
    ("a company authorised the suite; its permanent code is in the store", "有企业授权了套件，其永久授权码已存入存储"),
    (
        "a company's permanent code is not used: by WeCom's times it authorised or removed the suite later",
        "一家企业的永久授权码未被采用：按企业微信的时间，该企业此后又授权或取消了授权",
    ),
    ("the authorisation of a company is lost: {cause}; remedy: {remedy}", "一家企业的授权已丢失：{cause}；处理办法：{remedy}"),
    ("the permanent code of a company could not be saved yet; will retry: {error}", "暂时无法保存企业的永久授权码，将重试：{error}"),
    ("another replica has exchanged it", "另一个副本已兑换"),
    ("the authorisation is lost: the company's administrator has to authorise again", "授权已丢失：须由该企业的管理员重新授权"),
];
