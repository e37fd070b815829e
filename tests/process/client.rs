//! What callers send with.

/// A caller's HTTP client, one connection for each clone's request.
pub fn client() -> reqwest::Client {
    let tls = wxgate::upstream::tls::client_config(None).expect("roots");
    reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls).build().expect("a client")
}
