//! What becomes of a query: credentials out, the app's token in, every other byte as it was.

use crate::harness::{Gate, SECRET};

/// Sends a request line as it is and gives the query that WeChat saw.
async fn seen(gate: &Gate, path: &str, query: &[u8]) -> Option<String> {
    let head =
        [b"GET ", path.as_bytes(), b"?", query, b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"];
    let answer = gate.raw(head.concat()).await;
    if answer.header("x-wxgate-error").is_some() {
        assert_eq!(answer.refusal(), (400, "bad_request", -70400), "{}", answer.text());
        assert!(gate.journal(path).is_empty());
        return None;
    }
    let entry = gate.only(path);
    gate.sandbox.reset();
    Some(entry.query)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_takes_the_place_of_the_first_credential_and_all_else_stays() {
    let gate = Gate::start().await.settled().await;
    let token = gate.token("wx0000000000000001");
    for (sent, expected) in [
        ("", "$$"),
        ("openid=o", "openid=o&$$"),
        ("access_token=X", "$$"),
        ("access_token=X&openid=o", "$$&openid=o"),
        ("a=1&access_token=X&b=2", "a=1&$$&b=2"),
        ("a=1&access_token=&b=2", "a=1&$$&b=2"),
        ("a=1&access_token&b=2", "a=1&$$&b=2"),
        ("access_token=X&access_token=Y&a=1", "$$&a=1"),
        ("a=1&access_token=X&b=2&access_token=Y&c=3", "a=1&$$&b=2&c=3"),
        // Each name, and each spelling that one decoding makes of it.
        ("component_access_token=X&a=1", "$$&a=1"),
        ("suite_access_token=X&a=1", "$$&a=1"),
        ("provider_access_token=X&a=1", "$$&a=1"),
        ("cloudbase_access_token=X&a=1", "$$&a=1"),
        ("a=1&suite_access_token=X&b=2&component_access_token=Y", "a=1&$$&b=2"),
        ("access%5Ftoken=X&a=1", "$$&a=1"),
        ("access%5ftoken=X&a=1", "$$&a=1"),
        ("%61%63%63%65%73%73%5F%74%6f%6B%65%6E=X&a=1", "$$&a=1"),
        ("a=1&component%5faccess_token=X&access_token=Y", "a=1&$$"),
        ("access%5ftoken&a=1", "$$&a=1"),
        // What some server may take for one.
        ("a=1&Access_Token=X&b=2&ACCESS_TOKEN=Y", "a=1&$$&b=2"),
        ("access.token=X&a=1", "$$&a=1"),
        ("access_token%00=X&a=1", "$$&a=1"),
        ("access%20token=X&a=1", "$$&a=1"),
        ("access+token=X&a=1", "$$&a=1"),
        ("+access_token=X&a=1", "$$&a=1"),
        ("access_token[]=X&a=1", "$$&a=1"),
        ("access_token%5b%5d=X&a=1", "$$&a=1"),
        ("access-token=X&accesstoken=Y&refresh_token=Z", "$$&refresh_token=Z"),
        (
            "Component.Access.Token=X&SuiteAccessToken=Y&a=1&PROVIDER_ACCESS_TOKEN&cloudbase-access-token=Z",
            "$$&a=1",
        ),
        ("?access_token=X&a=1", "$$&a=1"),
        ("access_token%ff=X&%ef%bb%bfaccess_token=Y&a=1", "$$&a=1"),
        // Whole, up to the next `&`.
        ("a=1;access_token=X", "$$"),
        ("a=1;b=2;access_token=X;c=3&d=4", "$$&d=4"),
        ("a=1&amp;access_token=X&amp;b=2", "a=1&$$&amp;b=2"),
        ("a=1&amp;amp;Access.Token=X&b=2", "a=1&$$&b=2"),
        ("a=1&Access_Token=X?b=2", "a=1&$$&b=2"),
        // What only looks like one.
        ("access%255Ftoken=X", "access%255Ftoken=X&$$"),
        (
            "xaccess_token=X&access_tokens=Y&device_access_token=Z&access_token2=A",
            "xaccess_token=X&access_tokens=Y&device_access_token=Z&access_token2=A&$$",
        ),
        ("a=access_token&b=access_token%3DX", "a=access_token&b=access_token%3DX&$$"),
        ("a=1;b=access_token&c=1%3Baccess_token=X", "a=1;b=access_token&c=1%3Baccess_token=X&$$"),
        ("a=1?access_token=X", "a=1?access_token=X&$$"),
        ("secret=X&appsecret=Y", "secret=X&appsecret=Y&$$"),
        // Empty parameters, and what no decoder takes.
        ("&", "&&$$"),
        ("&&a=1&&b=2&", "&&a=1&&b=2&&$$"),
        ("&&access_token=X&&", "&&$$&&"),
        ("=&=x&a==b", "=&=x&a==b&$$"),
        ("a=%&b=%z&c=%zz&d=%4&access_token=X&e=%%%", "a=%&b=%z&c=%zz&d=%4&$$&e=%%%"),
        ("%=1&%4=2&access_token%=3", "%=1&%4=2&$$"),
        ("a=+%20+&b=%2B%26%3d&access_token=X", "a=+%20+&b=%2B%26%3d&$$"),
        ("a=%E4%B8%AD%ff%fe%00", "a=%E4%B8%AD%ff%fe%00&$$"),
        ("nickname=中文&access_token=X&é=ü", "nickname=中文&$$&é=ü"),
        ("a=!$'()*,-./:;@_~&b=[]{}|^`", "a=!$'()*,-./:;@_~&b=[]{}|^`&$$"),
    ] {
        let expected = expected.replace("$$", &format!("access_token={token}"));
        let seen = seen(&gate, "/cgi-bin/user/get", sent.as_bytes()).await;
        assert_eq!(seen.as_deref(), Some(expected.as_str()), "{sent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_byte_of_a_query_goes_on_as_it_is_or_the_request_is_refused() {
    let gate = Gate::start().await.settled().await;
    let token = gate.token("wx0000000000000001");
    let mut refused = Vec::new();
    for byte in (0x21..=0xff_u8).filter(|byte| *byte != b'#') {
        let sent = [b"a=", &[byte][..], b"&access_token=X&b=", &[byte]].concat();
        match seen(&gate, "/cgi-bin/user/get", &sent).await {
            Some(seen) => {
                let byte = char::from(byte);
                assert_eq!(seen, format!("a={byte}&access_token={token}&b={byte}"));
            }
            None => refused.push(byte),
        }
    }
    // No URL has the first three (RFC 3986), the next is a control character, and the rest is no
    // UTF-8 by itself.
    let expected: Vec<u8> = b"\"<>\x7f".iter().copied().chain(0x80..=0xff).collect();
    assert_eq!(refused, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_query_where_none_is_left() {
    let gate = Gate::start().await.settled().await;
    let path = "/cgi-bin/showqrcode";
    assert_eq!(seen(&gate, path, b"access_token=X").await.as_deref(), Some(""));
    assert_eq!(seen(&gate, path, b"ticket=T&access_token=X").await.as_deref(), Some("ticket=T"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_own_token_is_not_touched() {
    let gate = Gate::start().await.settled().await;
    for path in ["/sns/userinfo", "/sns/auth", "/sns/oauth2/refresh_token"] {
        for query in [
            "access_token=USERS&openid=o&lang=zh_CN",
            "&openid=o&&access%5ftoken=USERS&access_token=AGAIN&x=%zz",
            "appid=a&refresh_token=R&component_access_token=C",
            "Access_Token=X&a;access_token=Y&secret=Z",
            "",
        ] {
            assert_eq!(seen(&gate, path, query.as_bytes()).await.as_deref(), Some(query), "{path}");
        }
    }
    let query = format!("appid=wx0000000000000001&secret={SECRET}&js_code=c&grant_type=authorization_code");
    for sent in [query.clone(), format!("access_token=X&{query}"), format!("{query}&access%5ftoken=X")] {
        let seen = seen(&gate, "/sns/jscode2session", sent.as_bytes()).await;
        assert_eq!(seen.as_deref(), Some(query.as_str()));
    }
}
