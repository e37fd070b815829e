//! WeChat's hosts, by name.

/// One of WeChat's hosts (or the sandbox): scheme and authority, no path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// `https`, else `http`.
    pub tls: bool,
    /// Host name or address, an IPv6 one without brackets.
    pub host: String,
    /// Port, 443 or 80 where the URL names none.
    pub port: u16,
}

/// Which of WeChat's hosts a path is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// `api.weixin.qq.com` and those that stand in for it.
    Api,
    /// `mp.weixin.qq.com`, which alone has the pictures of QR codes.
    Mp,
    /// `qyapi.weixin.qq.com`: WeCom.
    Work,
}

impl Origin {
    /// `scheme://authority`, the port only where it isn't the scheme's own.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }

    /// The `Host` header: host, and the port where it isn't the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == if self.tls { 443 } else { 80 } {
            bracketed(&self.host)
        } else {
            host_and_port(&self.host, self.port)
        }
    }

    /// Whether it is one of WeChat's own names.
    pub fn is_wechats(&self) -> bool {
        self.host == "weixin.qq.com" || self.host.ends_with(".weixin.qq.com")
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

pub(super) fn host_and_port(host: &str, port: u16) -> String {
    format!("{}:{port}", bracketed(host))
}
