//! `[server]` and `[admin]`: who may reach the proxy.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::file;
use crate::config::options::AdminConfig;
use crate::config::reader::address::{is_local, parse_address, read_host};
use crate::config::reader::problem::{Place, Report};
use crate::config::reader::secrets::Secrets;
use crate::config::reader::units::{Size, positive};
use crate::config::reader::values::{Field, Item, Strings};
use crate::server::{Address, Options, TrustedProxies};

/// More threads than any machine has cores.
const MOST_WORKERS: u64 = 1024;

/// Bytes of an admin token that nobody guesses.
const SHORTEST_TOKEN: usize = 16;
/// What `server.max_head` may be: SDKs send a few hundred bytes, and each connection may take a
/// multiple of it.
const SHORTEST_HEAD: usize = 1024;
const LONGEST_HEAD: usize = 1024 * 1024;

/// A listener and where it was written.
pub(in crate::config) type Listener = (Address, Place);

pub(in crate::config) fn listeners(
    field: &Field<Strings>,
    passed: &[Address],
    report: &mut Report<'_>,
) -> Vec<Listener> {
    let listeners = match field.item() {
        None => vec![(Address::Tcp("127.0.0.1:8080".to_owned()), listen_of("server"))],
        Some(list) => {
            if list.value.0.is_empty() {
                report.error(&list.place, "is empty, expected an address like \"127.0.0.1:8080\"");
            }
            distinct(list, report)
        }
    };
    instead(listeners, passed, || field.item().map_or_else(|| listen_of("server"), |list| list.place.clone()))
}

fn listen_of(table: &str) -> Place {
    Place::default().child(table).child("listen")
}

/// The sockets that were passed, if any were, in the place of what the file lists.
fn instead(listed: Vec<Listener>, passed: &[Address], place: impl Fn() -> Place) -> Vec<Listener> {
    if passed.is_empty() {
        return listed;
    }
    passed.iter().map(|address| (address.clone(), place())).collect()
}

/// The addresses of a list, each of which may stand there once.
fn distinct(list: &Item<Strings>, report: &mut Report<'_>) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    for item in &list.value.0 {
        if let Some(address) = address(item, report) {
            if taken(&listeners, &address).is_some() {
                report.error(&item.place, "is listed twice");
            }
            listeners.push((address, item.place.clone()));
        }
    }
    listeners
}

fn address(item: &Item<String>, report: &mut Report<'_>) -> Option<Address> {
    parse_address(&item.value).map_err(|text| report.error(&item.place, text)).ok()
}

/// Where an address is listed already.
fn taken<'l>(listeners: &'l [Listener], address: &Address) -> Option<&'l Place> {
    listeners.iter().find(|(other, _)| same(other, address)).map(|(_, place)| place)
}

/// Whether both can't be listened on at once; port 0 is another port each time.
fn same(one: &Address, other: &Address) -> bool {
    let any_port = matches!(one, Address::Tcp(text) if text.ends_with(":0"));
    one == other && !any_port
}

/// Where pushes are taken. Other machines may reach it without a key: WeChat has none but signs
/// what it sends.
pub(in crate::config) fn callback(
    raw: &file::Callback,
    passed: &[Address],
    proxy: &[Listener],
    admin: &Address,
    report: &mut Report<'_>,
) -> Vec<Listener> {
    let listeners = raw.listen.item().map(|list| distinct(list, report)).unwrap_or_default();
    let listeners = instead(listeners, passed, || listen_of("callback"));
    for (address, place) in &listeners {
        let owner = if taken(proxy, address).is_some() {
            "server.listen"
        } else if same(admin, address) {
            "admin.listen"
        } else {
            continue;
        };
        report.error(
            place,
            format!("is an address of both {owner} and callback.listen, expected one of its own for each"),
        );
    }
    listeners
}

/// Without keys everybody who reaches a listener has the apps' full powers: say so twice, or stay
/// local.
pub(in crate::config) fn refuse_strangers(listeners: &[Listener], passed: bool, report: &mut Report<'_>) {
    for (address, place) in listeners {
        if !is_local(address) {
            let what = which(address, passed);
            report.error(
                place,
                format!(
                    "{what}can be reached from other machines while there is no [[caller]], expected a [[caller]] \
                     with a key, a loopback or unix address, or server.anonymous = true to let everybody in"
                ),
            );
        }
    }
}

/// What a problem begins with that the file's own key can't have.
fn which(address: &Address, passed: bool) -> String {
    if passed {
        format!("has no effect, since the socket {address} was passed; that one ")
    } else {
        String::new()
    }
}

/// Names by which callers without a key reach the proxy. Where other machines can, warns if nobody
/// said which these are.
pub(in crate::config) fn hosts(
    raw: &file::Server,
    listeners: &[Listener],
    report: &mut Report<'_>,
) -> Vec<String> {
    if let Some(anonymous) = raw.anonymous.item().filter(|item| item.value)
        && matches!(raw.hosts, Field::Missing)
        && let Some(open) = open_to_others(listeners)
    {
        report.warn(
            &anonymous.place,
            format!(
                "lets callers without a key in from other machines ({open}), by IP address, WeChat's own names and \
                 names without a dot alone, since any other may be a web page's own (DNS rebinding), expected \
                 server.hosts beside it with the other names that callers use, or [] if there are none"
            ),
        );
    }
    let items = raw.hosts.item().map_or(&[][..], |list| &list.value.0);
    let read =
        |item: &Item<String>| read_host(&item.value).map_err(|text| report.error(&item.place, text)).ok();
    items.iter().filter_map(read).collect()
}

/// The first address that other machines can reach.
pub(super) fn open_to_others(listeners: &[Listener]) -> Option<&Address> {
    listeners.iter().map(|(address, _)| address).find(|address| !is_local(address))
}

pub(in crate::config) fn server_options(raw: &file::Server, report: &mut Report<'_>) -> Options {
    let default = Options::default();
    let max_connections = max_connections(&raw.max_connections, default.max_connections, report);
    Options {
        max_head: max_head(&raw.max_head, default.max_head, report),
        max_connections,
        max_connections_per_address: match raw.max_connections_per_address.or(0) {
            0 => max_connections.div_ceil(2),
            number => usize::try_from(number).unwrap_or(usize::MAX),
        },
        head_timeout: positive(&raw.head_timeout, default.head_timeout, report),
        idle_timeout: positive(&raw.idle_timeout, default.idle_timeout, report),
        body_timeout: positive(&raw.body_timeout, default.body_timeout, report),
        pace: default.pace,
        write_timeout: positive(&raw.write_timeout, default.write_timeout, report),
        drain_delay: raw.drain_delay.or(default.drain_delay),
        drain_idle: default.drain_idle,
        drain_timeout: raw.drain_timeout.or(default.drain_timeout),
    }
}

fn max_connections(field: &Field<u64>, default: usize, report: &mut Report<'_>) -> usize {
    let Some(item) = field.item() else { return default };
    match usize::try_from(item.value) {
        Ok(number) if number > 0 => number,
        _ => {
            report.error(&item.place, "is out of range, expected a number from 1");
            1
        }
    }
}

fn max_head(field: &Field<Size>, default: usize, report: &mut Report<'_>) -> usize {
    let Some(item) = field.item() else { return default };
    match usize::try_from(item.value.0) {
        Ok(bytes) if (SHORTEST_HEAD..=LONGEST_HEAD).contains(&bytes) => bytes,
        _ => {
            report.error(&item.place, "is out of range, expected a size from \"1KiB\" to \"1MiB\"");
            default
        }
    }
}

/// Whose `X-Forwarded-For` is believed.
pub(in crate::config) fn trusted_proxies(field: &Field<Strings>, report: &mut Report<'_>) -> TrustedProxies {
    let items = field.item().map_or(&[][..], |list| &list.value.0);
    let read = |item: &Item<String>| {
        let address = || item.value.parse::<IpAddr>().map(|address| address.to_canonical().into()).ok();
        let network = item.value.parse().ok().or_else(address);
        match network.map(|network: IpNet| network.prefix_len()) {
            None => report.error(
                &item.place,
                "is no network, expected one like \"10.0.0.0/8\" or \"fd00::/8\", or a single address",
            ),
            Some(0) => report.warn(&item.place, "is everybody, who can then write any address into the log"),
            Some(_) => {}
        }
        network
    };
    items.iter().filter_map(read).collect()
}

/// Threads that serve; 0 stands for one a core.
pub(in crate::config) fn workers(field: &Field<u64>, report: &mut Report<'_>) -> usize {
    let number = field.item().map_or(0, |item| {
        if item.value > MOST_WORKERS {
            report.error(
                &item.place,
                format!("is out of range, expected 0 for one a core, or up to {MOST_WORKERS}"),
            );
        }
        item.value.min(MOST_WORKERS)
    });
    match usize::try_from(number) {
        Ok(number) if number > 0 => number,
        _ => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

pub(in crate::config) fn admin(
    raw: &file::Admin,
    passed: Option<&Address>,
    listeners: &[Listener],
    secrets: &mut Secrets<'_>,
    report: &mut Report<'_>,
) -> AdminConfig {
    let default = Address::Tcp("127.0.0.1:9090".to_owned());
    let written = raw.listen.item().and_then(|item| address(item, report));
    let listen = passed.cloned().or(written).unwrap_or(default);
    if let Some(place) = taken(listeners, &listen) {
        let place = raw.listen.item().map_or(place, |item| &item.place);
        report.error(
            place,
            "is an address of both server.listen and admin.listen, expected one of its own for each",
        );
    }
    if !is_local(&listen) && matches!(raw.token, Field::Missing) {
        let place = raw.listen.item().map_or_else(|| listen_of("admin"), |item| item.place.clone());
        let what = which(&listen, passed.is_some());
        report.error(
            &place,
            format!(
                "{what}can be reached from other machines, so it needs admin.token, expected token = \
                 {{ env = \"NAME\" }} or a loopback or unix address"
            ),
        );
    }
    let token = raw.token.item().and_then(|source| {
        let token = secrets.resolve(source, report)?;
        if token.expose().len() < SHORTEST_TOKEN {
            let better = "better is the output of: openssl rand -hex 32";
            let text = match is_local(&listen) {
                true => format!("is shorter than {SHORTEST_TOKEN} bytes, {better}"),
                false => format!(
                    "is shorter than {SHORTEST_TOKEN} bytes, and whoever reaches {listen} can guess it: the next \
                     release refuses it, {better}"
                ),
            };
            report.warn(&source.place, text);
        }
        Some(token)
    });
    AdminConfig { listen, token }
}
