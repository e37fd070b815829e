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
use crate::texts::{Words, text, words};

/// More threads than any machine has cores.
const MOST_WORKERS: u64 = 1024;

/// Bytes of an admin token that cannot be guessed.
const SHORTEST_TOKEN: usize = 16;
/// What `server.max_head` may be: SDKs send a few hundred bytes, and each connection may take a
/// multiple of it.
const SHORTEST_HEAD: usize = 1024;
const LONGEST_HEAD: usize = 1024 * 1024;

/// A listener and where it was given.
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
                report.error(&list.place, text!("is empty, expected an address like \"127.0.0.1:8080\""));
            }
            distinct(list, report)
        }
    };
    instead(listeners, passed, || field.item().map_or_else(|| listen_of("server"), |list| list.place.clone()))
}

fn listen_of(table: &str) -> Place {
    Place::default().child(table).child("listen")
}

/// The sockets that were passed, if any, in place of what the file lists.
fn instead(listed: Vec<Listener>, passed: &[Address], place: impl Fn() -> Place) -> Vec<Listener> {
    if passed.is_empty() {
        return listed;
    }
    passed.iter().map(|address| (address.clone(), place())).collect()
}

/// The addresses of a list; each may be given once.
fn distinct(list: &Item<Strings>, report: &mut Report<'_>) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    for item in &list.value.0 {
        if let Some(address) = address(item, report) {
            if taken(&listeners, &address).is_some() {
                report.error(&item.place, text!("is given twice"));
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

/// Where pushes are received. Other machines may reach it without a key: WeChat has no key but
/// signs what it sends.
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
            text!(
                "is an address of both {key} and callback.listen, expected a different one for each",
                key = owner
            ),
        );
    }
    listeners
}

/// Without keys everyone who reaches a listener has the full permissions of the apps: that requires
/// a second setting, or local listeners.
pub(in crate::config) fn refuse_strangers(listeners: &[Listener], passed: bool, report: &mut Report<'_>) {
    for (address, place) in listeners {
        if !is_local(address) {
            let open = words!(
                "can be reached from other machines while there is no [[caller]], expected a [[caller]] with a key, a \
                 loopback or unix address, or server.anonymous = true to let everyone in"
            );
            report.error(place, of_socket(open, address, passed));
        }
    }
}

/// The same problem of a socket that was passed, which the key in the file does not name.
fn of_socket(problem: Words, address: &Address, passed: bool) -> Words {
    if passed {
        words!("has no effect, since the socket {address} was passed; that one {problem}", address, problem)
    } else {
        problem
    }
}

/// Names by which callers without a key reach the proxy. Warns if other machines can reach it and
/// the names are not given.
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
            text!(
                "lets in callers without a key from other machines ({address}), but only by IP address, WeChat's own \
                 names and names without a dot, since any other name may belong to a web page (DNS rebinding), expected \
                 server.hosts with the other names that callers use, or [] if there are none",
                address = open
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
            report.error(&item.place, text!("is out of range, expected a number from 1"));
            1
        }
    }
}

fn max_head(field: &Field<Size>, default: usize, report: &mut Report<'_>) -> usize {
    let Some(item) = field.item() else { return default };
    match usize::try_from(item.value.0) {
        Ok(bytes) if (SHORTEST_HEAD..=LONGEST_HEAD).contains(&bytes) => bytes,
        _ => {
            report.error(&item.place, text!("is out of range, expected a size from \"1KiB\" to \"1MiB\""));
            default
        }
    }
}

/// The proxies whose `X-Forwarded-For` is trusted.
pub(in crate::config) fn trusted_proxies(field: &Field<Strings>, report: &mut Report<'_>) -> TrustedProxies {
    let items = field.item().map_or(&[][..], |list| &list.value.0);
    let read = |item: &Item<String>| {
        let address = || item.value.parse::<IpAddr>().map(|address| address.to_canonical().into()).ok();
        let network = item.value.parse().ok().or_else(address);
        match network.map(|network: IpNet| network.prefix_len()) {
            None => report.error(
                &item.place,
                text!(
                    "is not a network, expected one like \"10.0.0.0/8\" or \"fd00::/8\", or a single address"
                ),
            ),
            Some(0) => report.warn(
                &item.place,
                text!("includes every address, so that anyone can write any address into the log"),
            ),
            Some(_) => {}
        }
        network
    };
    items.iter().filter_map(read).collect()
}

/// Threads that serve; 0 means one per core.
pub(in crate::config) fn workers(field: &Field<u64>, report: &mut Report<'_>) -> usize {
    let number = field.item().map_or(0, |item| {
        if item.value > MOST_WORKERS {
            report.error(
                &item.place,
                text!("is out of range, expected 0 for one per core, or up to {most}", most = MOST_WORKERS),
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
            text!("is an address of both server.listen and admin.listen, expected a different one for each"),
        );
    }
    if !is_local(&listen) && matches!(raw.token, Field::Missing) {
        let place = raw.listen.item().map_or_else(|| listen_of("admin"), |item| item.place.clone());
        let open = words!(
            "can be reached from other machines, which requires admin.token, expected token = {{ env = \"NAME\" }} or a \
             loopback or unix address"
        );
        report.error(&place, of_socket(open, &listen, passed.is_some()));
    }
    let token = raw.token.item().and_then(|source| {
        let token = secrets.resolve(source, report)?;
        if token.expose().len() < SHORTEST_TOKEN {
            let text = match is_local(&listen) {
                true => words!(
                    "is shorter than {shortest} bytes, expected a longer one: openssl rand -hex 32",
                    shortest = SHORTEST_TOKEN
                ),
                false => words!(
                    "is shorter than {shortest} bytes, so that whoever reaches {address} can guess it, and the next release \
                     refuses it, expected a longer one: openssl rand -hex 32",
                    shortest = SHORTEST_TOKEN,
                    address = listen
                ),
            };
            report.warn(&source.place, text);
        }
        Some(token)
    });
    AdminConfig { listen, token }
}
