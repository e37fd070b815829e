//! What a request is addressed to: WeChat's path and query, and the names in front of them.

use std::borrow::Cow;

use http::request::Parts;
use http::{Method, Version};

use crate::message::credential::CredentialParam;
use crate::message::form::Form;
use crate::message::noted::Noted;
use crate::message::query::{self, CLOUD_RUN_APP, MayHold};
use crate::message::{METHODS, host, path};
use crate::pipeline::directory::Directory;
use crate::pipeline::error::Error;
use crate::texts::{Words, words};
use crate::wechat::Family;
use crate::wechat::catalogue::{self, CredentialClass, Endpoint};

/// Where a request goes, before anybody asked whether it may.
#[derive(Clone, Copy)]
pub(crate) struct RequestTarget<'r> {
    /// App named by the path's prefix.
    pub(crate) prefix: Option<&'r str>,
    /// WeChat's path.
    pub(crate) path: &'r str,
    /// WeChat's query.
    pub(crate) query: Option<&'r str>,
    /// What may be in it.
    pub(crate) may_hold: MayHold,
    /// What the body says, if that is a form.
    pub(crate) form: Option<Form<'r>>,
    /// App named by [`CLOUD_RUN_APP`].
    pub(crate) from_appid: Option<&'r str>,
    /// Another one is named by it too.
    pub(crate) from_appid_differs: bool,
    /// Whom the request is for: `Host`, or what stands in the target of a request to a proxy.
    pub(crate) host: Option<&'r str>,
    /// It came as to a proxy, with `http://HOST` before the path.
    proxied: bool,
    pub(crate) endpoint: &'static Endpoint,
}

/// A request's head at first sight: what it may hold, and its query without what is meant for
/// wxgate.
pub(crate) struct Head<'r> {
    pub(crate) parts: &'r Parts,
    /// Of the headers.
    pub(crate) noted: Noted<'r>,
    rest: Option<Cow<'r, str>>,
    may_hold: MayHold,
    from_appid: Option<Cow<'r, str>>,
    from_appid_differs: bool,
}

impl<'r> Head<'r> {
    /// Looks over the headers, and takes the app's name out of the query.
    pub(crate) fn read(parts: &'r Parts) -> Self {
        let query = parts.uri.query();
        let mut head = Self {
            parts,
            noted: Noted::of(&parts.headers),
            rest: query.map(Cow::from),
            may_hold: query.map(MayHold::of).unwrap_or_default(),
            from_appid: None,
            from_appid_differs: false,
        };
        if (head.may_hold.app || head.may_hold.encoded)
            && let Some((names, rest)) = query.and_then(|query| query::take(query, CLOUD_RUN_APP))
        {
            head.from_appid_differs = names.iter().any(|name| Some(name) != names.first());
            head.from_appid = names.into_iter().next();
            head.may_hold = MayHold::of(&rest);
            head.rest = Some(rest).filter(|rest| !rest.is_empty()).map(Cow::from);
        }
        head
    }
}

impl<'r> RequestTarget<'r> {
    /// Reads the request line and `Host`.
    pub(crate) fn read(head: &'r Head<'r>) -> Result<Self, Error> {
        let Head { parts, noted, .. } = *head;
        let uri = &parts.uri;
        if parts.method == Method::CONNECT {
            return Err(Error::BadRequest(words!(
                "wxgate is not a tunnel, it must add the token: use http:// instead of https://"
            )));
        }
        // RFC 9112, 3.2: exactly one `Host` in HTTP/1.1, or intermediaries may disagree on whom the
        // request is for; 3.2.2: a host in the target counts, and not the Host header.
        let named = noted.host;
        let host = match (uri.scheme_str(), uri.authority()) {
            (None, None) => named.map(|host| host.to_str().unwrap_or_default()),
            // A name and password before the host hide which host it is (RFC 9110, 4.2.4).
            (Some("http"), Some(authority)) if !authority.as_str().contains('@') => Some(authority.host()),
            _ => None,
        };
        let proxied = uri.scheme().is_some() && host.is_some();
        if uri.authority().is_some() != proxied || !uri.path().starts_with('/') {
            return Err(Error::BadRequest(words!(
                "the request target must be a path such as /cgi-bin/user/info"
            )));
        }
        // TRACE would echo the token; the effect of others is unknown.
        if !METHODS.contains(&parts.method.as_str()) {
            return Err(Error::BadRequest(words!(
                "unknown method for WeChat's API, expected {methods}",
                methods = METHODS.join(", ")
            )));
        }
        if named.is_none() && parts.version >= Version::HTTP_11 {
            return Err(Error::Malformed(words!("the Host header is missing")));
        }
        if noted.several_hosts {
            return Err(Error::Malformed(words!("the Host header is given twice")));
        }
        let (prefix, path) = split_prefix(uri.path());
        let endpoint = catalogue::find(path);
        // There is no fault in the catalogue's own paths, which nearly all requests are for.
        if endpoint.path != path {
            path::check(path).map_err(|fault| Error::BadRequest(Words::of(|| fault.to_string())))?;
        }
        Ok(Self {
            prefix,
            path,
            query: head.rest.as_deref(),
            may_hold: head.may_hold,
            form: None,
            from_appid: head.from_appid.as_deref(),
            from_appid_differs: head.from_appid_differs,
            host,
            proxied,
            endpoint,
        })
    }

    /// The same request, once its body is known to be this form.
    pub(crate) fn with_form(self, form: Option<Form<'r>>) -> Self {
        Self { form, ..self }
    }

    /// The same request without its query, which went elsewhere.
    pub(crate) fn without_query(self) -> Self {
        Self { query: None, may_hold: MayHold::default(), ..self }
    }

    /// All credentials that the request brings in query and form.
    pub(crate) fn brought(&self) -> impl Iterator<Item = (CredentialParam, Cow<'r, str>)> {
        let query = self.query.filter(|_| self.may_hold.tokens);
        let query = query.into_iter().flat_map(query::credentials);
        query.chain(self.form.into_iter().flat_map(Form::credentials))
    }

    /// Their values.
    pub(crate) fn credentials(&self) -> impl Iterator<Item = Cow<'r, str>> {
        self.brought().map(|(_, value)| value)
    }

    /// The values of all that a server may take for an app's secret, in query and form.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = Cow<'r, str>> {
        let query = self.query.filter(|_| self.may_hold.secrets);
        let query = query.into_iter().flat_map(query::secrets);
        query.chain(self.form.into_iter().flat_map(Form::secrets).map(Cow::from))
    }

    /// The endpoint's path as catalogued; of one that isn't, its own in normal form.
    pub(crate) fn known_path(&self) -> Cow<'r, str> {
        match self.endpoint.id {
            0 => catalogue::normalise(self.path),
            _ => self.endpoint.path.into(),
        }
    }

    /// As a proxy it is one for WeChat's API alone.
    pub(crate) fn check_proxied(&self, directory: &Directory) -> Result<(), Error> {
        let Some(host) = self.host.filter(|_| self.proxied) else { return Ok(()) };
        let host = host::name(host).to_ascii_lowercase();
        let wechat = matches!(&*host, "api.weixin.qq.com" | "api2.weixin.qq.com")
            || host.ends_with(".api.weixin.qq.com");
        if wechat || directory.knows_host(&host) || host::is_local(&host) {
            return Ok(());
        }
        Err(Error::BadRequest(words!("as an HTTP proxy, wxgate serves only http://api.weixin.qq.com")))
    }

    /// The same request, where the endpoint isn't listed and is taken to want a credential of
    /// `class`.
    pub(crate) fn taken_to_want(self, class: CredentialClass) -> Self {
        Self { endpoint: catalogue::assumed_with(self.endpoint, class), ..self }
    }

    /// The endpoint as these hosts know it: WeCom's have paths of the same names.
    pub(crate) fn at(self, family: Family) -> Self {
        match family {
            Family::Work => Self { endpoint: catalogue::find_work(self.path), ..self },
            Family::Api | Family::Mp | Family::Open => self,
        }
    }
}

/// `/@NAME/rest` names an app; the rest is WeChat's path. Of two slashes in front of either one
/// counts.
pub(crate) fn split_prefix(path: &str) -> (Option<&str>, &str) {
    let path = path::fold(path);
    match path.strip_prefix("/@") {
        None => (None, path),
        Some(rest) => match rest.find('/') {
            Some(end) => {
                rest.split_at_checked(end).map_or((None, path), |(name, path)| (Some(name), path::fold(path)))
            }
            None => (Some(rest), "/"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::split_prefix;

    #[test]
    fn a_prefix_names_the_app_and_is_no_part_of_the_path() {
        assert_eq!(split_prefix("/@shop/cgi-bin/user/info"), (Some("shop"), "/cgi-bin/user/info"));
        assert_eq!(split_prefix("/@shop//cgi-bin/user/info"), (Some("shop"), "/cgi-bin/user/info"));
        assert_eq!(split_prefix("//@shop//cgi-bin/user/info"), (Some("shop"), "/cgi-bin/user/info"));
        assert_eq!(split_prefix("//wxgate/token"), (None, "/wxgate/token"));
        assert_eq!(split_prefix("/@shop"), (Some("shop"), "/"));
        assert_eq!(split_prefix("/@/x"), (Some(""), "/x"));
        assert_eq!(split_prefix("/cgi-bin/@x/y"), (None, "/cgi-bin/@x/y"));
    }
}
