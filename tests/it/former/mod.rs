//! What version 0.1.0 left behind, in `tests/former/0.1.0`: stores, and configurations.

mod configurations;
mod made;
mod stores;

use std::path::{Path, PathBuf};

use wxgate::sandbox::{App, AppKind, Authorizer, Options, Sandbox};

use crate::callback::platform::MALL;
use crate::harness::{APPID, OTHER_APPID, OTHER_SECRET, SECRET, caller};

const ACCOUNTS: [&str; 2] = ["wxa000000000000001", "wxa000000000000002"];
const SEAL_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SEND: &str = "/cgi-bin/message/custom/send";
const KEY: &str = "key-orders";
/// Of the caller, of which that version spent so many.
const BUDGET: usize = 10;
const SPENT: usize = 7;
/// As that version spelt it.
const SERVER: &str = "errors_as_200 = false\nlimit_status = 429";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/former/0.1.0")
}

/// A WeChat that has the accounts, with these refresh tokens.
fn sandbox(refresh_tokens: [&str; 2]) -> Sandbox {
    let apps = vec![
        App::new(APPID, SECRET, AppKind::OfficialAccount),
        App::new(OTHER_APPID, OTHER_SECRET, AppKind::MiniProgram),
        App::new(MALL.id, SECRET, AppKind::Component),
    ];
    let authorizers = ACCOUNTS.into_iter().zip(refresh_tokens);
    let authorizers = authorizers.map(|(account, token)| Authorizer::new(MALL.id, account, token)).collect();
    let sandbox = Sandbox::start(Options { apps, authorizers, ..Options::default() });
    let sandbox = sandbox.expect("the sandbox starts");
    sandbox.change(|settings| settings.rotate_refresh_tokens = true);
    sandbox
}

/// A shop in stable mode, a game in classic mode, a platform, a caller with a budget, and a store.
fn tables(store: &str) -> String {
    let orders = format!("daily = {{ {SEND:?} = {BUDGET} }}");
    format!(
        "[[app]]\nname = \"shop\"\nappid = \"{APPID}\"\nsecret = {{ env = \"SHOP_SECRET\" }}\ndefault = true\n\
         [[app]]\nname = \"game\"\nappid = \"{OTHER_APPID}\"\nsecret = {{ env = \"OTHER_SECRET\" }}\n\
         kind = \"mini_program\"\ntoken_mode = \"classic\"\n\
         [[app]]\nname = \"{}\"\nappid = \"{}\"\nsecret = {{ env = \"SHOP_SECRET\" }}\nkind = \"component\"\n\
         callback_token = \"{}\"\ncallback_aes_key = \"{}\"\n{}\
         [callback]\nlisten = [\"127.0.0.1:0\"]\n[store]\n{store}\n",
        MALL.name,
        MALL.id,
        MALL.token,
        MALL.aes_key,
        caller("orders", &[KEY], &["shop", "game", MALL.name], &orders)
    )
}
