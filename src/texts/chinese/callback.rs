use super::Table;

pub(super) const TABLE: Table = &[
    ("TLS connection to the callback address, which takes plain HTTP alone: the proxy in front of it must terminate TLS", "回调地址收到了 TLS 连接，而它只接受明文 HTTP：须由前面的代理终止 TLS"),
    ("accepted", "已接收"),
    ("WeCom verified the callback URL", "企业微信验证了回调地址"),
    ("it could not be saved", "未能保存"),
    ("it could not be saved within {time}", "未能在 {time} 内保存"),
    ("its body took too long to arrive", "请求体迟迟没有收完"),
    ("the connection was closed before the end of its body", "请求体收完之前连接已关闭"),
    ("callback accepted", "已接收回调"),
    ("callback refused", "已拒绝回调"),
    ("it was signed or created too long ago or in the future, or this machine's clock is wrong", "签名或创建的时间过早，或者在将来，也可能是本机时钟不准"),
    ("it was received before", "已经收到过"),
    ("more pushes arrived within minutes than can be remembered", "几分钟内收到的推送过多，超出了可记录的数量"),
];
