//! The file as written: every key with its type and place, before any rules are checked.

use std::time::Duration;

use super::reader::problem::{Place, Report, did_you_mean, looks_like_secret};
use super::reader::units::Size;
use super::reader::values::{Field, Item, NumbersByName, Read, SecretSource, Strings, StringsByName, table};
use crate::texts::words;

/// Declares a table: its keys with their types. Keys of `former` releases are still read, but not
/// listed.
macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($key:ident: $type:ty,)* } $(former { $($old:ident: $was:ty,)* })?) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name {
            $(pub $key: Field<$type>,)*
            $($(pub $old: Field<$was>,)*)?
        }

        impl $name {
            pub(super) const KEYS: &[&str] = &[$(stringify!($key)),*];
        }

        impl Read for $name {
            fn read(value: &toml::de::DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
                let mut section = Self::default();
                for (key, value) in table(value, place, report)? {
                    let name = key.get_ref().as_ref();
                    match name {
                        $(stringify!($key) => section.$key = field(name, value, place, report),)*
                        $($(stringify!($old) => section.$old = field(name, value, place, report),)*)?
                        _ => unknown(name, &place.clone().at(key.span().start), Self::KEYS, report),
                    }
                }
                Some(section)
            }
        }
    };
}

section! {
    /// The whole file.
    File {
        include: Strings,
        server: Server,
        admin: Admin,
        callback: Callback,
        upstream: Upstream,
        token: Token,
        replay: Replay,
        store: Store,
        log: Log,
        trace: Trace,
        app: Vec<Item<App>>,
        caller: Vec<Item<Caller>>,
        limit: Vec<Item<Limit>>,
        alert: Vec<Item<Alert>>,
    }
}

section! {
    /// A file that `include` names.
    AccountFile {
        app: Vec<Item<App>>,
        caller: Vec<Item<Caller>>,
        limit: Vec<Item<Limit>>,
        alert: Vec<Item<Alert>>,
    }
}

section! {
    /// `[server]`
    Server {
        listen: Strings,
        hosts: Strings,
        trusted_proxies: Strings,
        workers: u64,
        anonymous: bool,
        max_head: Size,
        max_body: Size,
        max_connections: u64,
        max_connections_per_address: u64,
        max_inflight: u64,
        head_timeout: Duration,
        idle_timeout: Duration,
        body_timeout: Duration,
        write_timeout: Duration,
        request_timeout: Duration,
        drain_delay: Duration,
        drain_timeout: Duration,
        error_status: String,
        tls: Tls,
    }
    former {
        limit_status: u64,
        errors_as_200: bool,
    }
}

section! {
    /// `[server.tls]`
    Tls {
        cert: String,
        key: String,
        client_ca: String,
    }
}

section! {
    /// `[admin]`
    Admin {
        listen: String,
        token: SecretSource,
    }
}

section! {
    /// `[callback]`
    Callback {
        listen: Strings,
    }
}

section! {
    /// `[upstream]` and `[app.upstream]`
    Upstream {
        base_urls: Strings,
        connect_timeout: Duration,
        response_timeout: Duration,
        slow_response_timeout: Duration,
        body_timeout: Duration,
        pool_idle: Duration,
        pool_age: Duration,
        egress_proxy: String,
        egress_password: SecretSource,
        ca_file: String,
        resolve: StringsByName,
    }
}

section! {
    /// `[token]`
    Token {
        fetch_timeout: Duration,
        refresh_wait: Duration,
        allow_unshared: bool,
    }
}

section! {
    /// `[replay]`
    Replay {
        max_body: Size,
        memory: Size,
        spool: Size,
        spool_dir: String,
    }
}

section! {
    /// `[store]`
    Store {
        url: String,
        username: String,
        password: SecretSource,
        ca_file: String,
        prefix: String,
        seal_key: SecretSource,
        former_seal_key: SecretSource,
        accept_unsealed: bool,
    }
}

section! {
    /// `[log]`
    Log {
        level: String,
        format: String,
        language: String,
        access: String,
    }
}

section! {
    /// `[trace]`
    Trace {
        endpoint: String,
        sample: f64,
        service_name: String,
    }
}

section! {
    /// `[[app]]`
    App {
        name: String,
        appid: String,
        secret: SecretSource,
        kind: String,
        token_mode: String,
        default: bool,
        hosts: Strings,
        own_credential: String,
        probe: String,
        jssdk_hosts: Strings,
        agent_id: String,
        suite_id: String,
        suite_secret: SecretSource,
        suite_kind: String,
        provider_secret: SecretSource,
        callback_token: SecretSource,
        callback_aes_key: SecretSource,
        egress_proxy: String,
        slow_down: bool,
        max_inflight: u64,
        upstream: Upstream,
        signing: Signing,
        export: Vec<Item<Export>>,
    }
}

section! {
    /// `[app.signing]`
    Signing {
        aes_key: SecretSource,
        aes_key_sn: String,
        private_key: SecretSource,
        platform_certificate: Strings,
        platform_certificate_sn: Strings,
        endpoints: Strings,
    }
}

section! {
    /// `[[app.export]]`
    Export {
        file: String,
        template: String,
        mode: String,
        redis: String,
        username: String,
        password: SecretSource,
        ca_file: String,
        format: String,
        prefix: String,
        key: String,
    }
}

section! {
    /// `[[caller]]`
    Caller {
        name: String,
        key_sha256: Strings,
        apps: Strings,
        allow: Strings,
        expires: String,
        lease_token: bool,
        rate: String,
        daily: NumbersByName,
    }
}

section! {
    /// `[[limit]]`
    Limit {
        app: String,
        caller: String,
        endpoint: String,
        rate: String,
        daily: u64,
        mode: String,
        reserve: NumbersByName,
    }
}

section! {
    /// `[[alert]]`
    Alert {
        kind: String,
        url: SecretSource,
        secret: SecretSource,
        on: Strings,
        apps: Strings,
        language: String,
    }
}

/// The name in [`TABLES`] of what stands above all tables.
const TOP: &str = "";

/// Every table with its keys.
pub(super) const TABLES: [(&str, &[&str]); 18] = [
    (TOP, &["include"]),
    ("[server]", Server::KEYS),
    ("[server.tls]", Tls::KEYS),
    ("[admin]", Admin::KEYS),
    ("[callback]", Callback::KEYS),
    ("[upstream]", Upstream::KEYS),
    ("[token]", Token::KEYS),
    ("[replay]", Replay::KEYS),
    ("[store]", Store::KEYS),
    ("[log]", Log::KEYS),
    ("[trace]", Trace::KEYS),
    ("[[app]]", App::KEYS),
    ("[app.upstream]", Upstream::KEYS),
    ("[app.signing]", Signing::KEYS),
    ("[[app.export]]", Export::KEYS),
    ("[[caller]]", Caller::KEYS),
    ("[[limit]]", Limit::KEYS),
    ("[[alert]]", Alert::KEYS),
];

/// Every table of the file and its keys, for checks of the documentation. The first has no name:
/// its keys stand above all tables.
pub fn known_keys() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    TABLES.into_iter()
}

impl File {
    /// Adds the tables of an included file to those that there are.
    pub(super) fn add(&mut self, file: AccountFile) {
        let AccountFile { app, caller, limit, alert } = file;
        add(&mut self.app, app);
        add(&mut self.caller, caller);
        add(&mut self.limit, limit);
        add(&mut self.alert, alert);
    }
}

fn add<T>(all: &mut Field<Vec<T>>, more: Field<Vec<T>>) {
    match (&mut *all, more) {
        (_, Field::Missing) | (Field::Wrong, _) => {}
        (Field::Given(all), Field::Given(more)) => all.value.extend(more.value),
        (_, more) => *all = more,
    }
}

/// The value of a key of `table`.
fn field<T: Read>(
    name: &str,
    value: &toml::Spanned<toml::de::DeValue<'_>>,
    table: &Place,
    report: &mut Report<'_>,
) -> Field<T> {
    let place = table.child(name).at(value.span().start);
    match T::read(value.get_ref(), &place, report) {
        Some(value) => Field::Given(Item { value, place }),
        None => Field::Wrong,
    }
}

fn unknown(key: &str, table: &Place, keys: &[&str], report: &mut Report<'_>) {
    let name = if looks_like_secret(key) { "?" } else { key };
    if keys == AccountFile::KEYS && File::KEYS.contains(&key) {
        let text = words!(
            "belongs in the main file, expected one of {keys} in an included one",
            keys = keys.join(", ")
        );
        return report.error(&table.child(name), text);
    }
    if TABLES[0].1.contains(&key) {
        return report.error(&table.child(name), words!("belongs at the top of the file, above all tables"));
    }
    let text = did_you_mean(&words!("unknown key"), key, keys.iter().copied()).unwrap_or_else(|| {
        let owners: Vec<_> =
            TABLES.iter().filter(|(_, keys)| keys.contains(&key)).map(|(owner, _)| *owner).collect();
        if owners.is_empty() {
            words!("unknown key, expected one of: {keys}", keys = keys.join(", "))
        } else {
            words!("unknown key, it belongs to {tables}", tables = owners.join(", "))
        }
    });
    report.error(&table.child(name), text);
}
