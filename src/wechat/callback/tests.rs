use super::crypto::{AesKey, NoAesKey, Seal, decrypt};
use super::xml::Fields;
use super::{Key, Rejected, open};
use crate::secret::Secret;

// The samples that Tencent publishes with its WXBizMsgCrypt.
const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const ENCRYPTED: &str =
    "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==";
const SIGNED: &str = "hyzAe4OzmOMbd6TvGdIOO6uBmdJoD0Fk53REIHvxYtJlE2B655HuD0m8KUePWB3+LrPXo87wzQ1QLvbeUgmBM4x6F8\
                      PGHQHFVAFmOD2LdJF9FrXpbUAh0B5GIItb52sn896wVsMSHGuPE328HnRGBcrS7C41IzDWyWNlZkyyXwon8T332jis\
                      a+h6tEDYsVticbSnyU8dKOIbgU6ux5VTjg3yt+WGzjlpKn6NPhRjpA912xMezR4kw6KWwMrCVKSVCZciVGCgavjIQ6\
                      X8tCOp3yZbGpy0VxpAe+77TszTfRd5RJSVO/HTnifJpXgCSUdUue1v6h0EIBYYI1BD1DlD+C0CR8e6OewpusjZ4uBl\
                      9FyJvnhvQl+q5rv1ixrcpCumEPo5MJSgM9ehVsNPfUM669WuMyVWQLCzpu9GhglF2PE=";

fn aes_key() -> AesKey {
    AesKey::parse(AES_KEY).unwrap()
}

#[test]
fn tencents_sample_is_decrypted() {
    let message = decrypt(&aes_key(), ENCRYPTED).unwrap();
    assert_eq!(message.text(), Some("我是中文abcd123"));
    assert!(message.is_for("wxb11529c136998cb6"));
    assert!(!message.is_for("wxb11529c136998cb7") && !message.is_for(""));
}

#[test]
fn tencents_signed_sample_is_verified_down_to_its_content() {
    let key = Key {
        token: Secret::new("spamtest").into(),
        aes_key: aes_key().into(),
        receive_id: "wx2c2769f8efd9abc2".into(),
    };
    let query =
        "timestamp=1409735669&nonce=1320562132&msg_signature=5d197aaffba7e9b25a30732f161a50dee96bd5fa";
    let body = format!(
        "<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName><Encrypt><![CDATA[{SIGNED}]]></Encrypt></xml>"
    );
    // A message to an account: not what comes here, but signed, encrypted and addressed as
    // everything is.
    assert_eq!(open(&key, query, body.as_bytes()).unwrap_err(), Rejected::Content);
    let text = decrypt(&key.aes_key, SIGNED).unwrap();
    assert_eq!(Fields::read(text.text().unwrap()).unwrap().get("CreateTime"), Some("1409735668"));

    let other = Key { receive_id: "wx2c2769f8efd9abc3".into(), ..key.clone() };
    assert_eq!(open(&other, query, body.as_bytes()).unwrap_err(), Rejected::Receiver);
    let other = Key { token: Secret::new("spamtesT").into(), ..key };
    assert_eq!(open(&other, query, body.as_bytes()).unwrap_err(), Rejected::Signature);
}

#[test]
fn a_seal_does_not_tell_where_a_part_ends() {
    let seal = Seal::of(["token", "1409735669", "132056213", "cipher"]);
    assert_eq!(seal, Seal::of(["token", "409735669", "1320562131", "cipher"]));
}

#[test]
fn an_aes_key_is_43_characters_of_base64() {
    for wrong in ["", &AES_KEY[1..], &format!("{AES_KEY}="), &AES_KEY.replace('a', "-"), &"钥".repeat(15)] {
        assert_eq!(AesKey::parse(wrong).unwrap_err(), NoAesKey, "{wrong}");
    }
    assert_eq!(format!("{:?}", aes_key()), "AesKey(redacted)");
}

#[test]
fn fields_are_the_text_of_the_roots_children() {
    let text = "<?xml version='1.0'?><!-- x --><xml a='b'>\n <A> <![CDATA[a&b]]></A><B>1 &lt;&#x32;</B><C/>\
                <D>d<E>e</E></D></xml>\n";
    let fields = Fields::read(text).unwrap();
    let values = ["A", "B", "C", "D", "E", "xml"].map(|name| fields.get(name));
    assert_eq!(values, [Some("a&b"), Some("1 <2"), Some(""), Some("d"), None, None]);
}

#[test]
fn what_is_not_flat_and_plain_is_refused() {
    let deep = format!("{}{}", "<a>".repeat(9), "</a>".repeat(9));
    let wide: String = (0..65).map(|n| format!("<f{n}/>")).collect();
    for text in [
        "",
        " ",
        "text",
        "<xml>",
        "<xml></xm>",
        "<xml></xml></xml>",
        "<xml/><xml/>",
        "<xml/>text",
        "<xml/><![CDATA[]]>",
        "<xml>text</xml>",
        "<xml><A>1</A><A>2</A></xml>",
        "<xml><A>1</A><A/></xml>",
        "<xml><A>1</xml></A>",
        "<xml><A>&nbsp;</A></xml>",
        "<xml><A>&#0;</A></xml>",
        "<xml><A>& </A></xml>",
        "<xml>&a;</xml>",
        "<!DOCTYPE xml><xml/>",
        "<!DOCTYPE xml [<!ENTITY a 'b'>]><xml><A>&a;</A></xml>",
        "<xml><!DOCTYPE xml></xml>",
        "<?php x?><xml/>",
        "<xml><?xml version='1.0'?></xml>",
        &deep,
        &format!("<xml>{wide}</xml>"),
    ] {
        assert!(Fields::read(text).is_none(), "{text}");
    }
}
