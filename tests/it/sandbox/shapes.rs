//! Endpoints in the shapes that WeChat documents, and what they say to mistakes.

use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Value, json};
use wxgate::sandbox::{App, AppKind, MINI_PROGRAM, OFFICIAL_ACCOUNT, Options, SECRET, SHAPED};

use super::client::{Caller, token_of};

/// A caller with a good token of an account.
struct Service {
    caller: Caller,
    token: String,
}

impl Service {
    async fn new() -> Self {
        let caller = Caller::new();
        let token = caller.token().await;
        Self { caller, token }
    }

    async fn of_wecom() -> Self {
        let apps = vec![App::new("corp", SECRET, AppKind::Wecom)];
        let caller = Caller::with(Options { apps, ..Options::default() });
        let token =
            token_of(&caller.get(&format!("/cgi-bin/gettoken?corpid=corp&corpsecret={SECRET}")).await);
        Self { caller, token }
    }

    fn target(&self, path: &str) -> String {
        format!("{path}{}access_token={}", if path.contains('?') { '&' } else { '?' }, self.token)
    }

    async fn get(&self, path: &str) -> Value {
        self.caller.get(&self.target(path)).await.json()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.caller.post(&self.target(path), body.to_string()).await.json()
    }

    async fn upload(&self, path: &str, bytes: &[u8]) -> Value {
        let head = b"--XX\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.png\"\r\n\r\n";
        let body = [&head[..], bytes, b"\r\n--XX--\r\n"].concat();
        let request = self.caller.request("POST", &self.target(path));
        let request = request.header("content-type", "multipart/form-data; boundary=XX");
        let request = request.body(Full::from(Bytes::from(body))).expect("a request");
        self.caller.send(request).await.expect("an answer").json()
    }

    /// Each of these bodies gets its errcode.
    async fn refuses<const N: usize>(&self, path: &str, mistakes: [(Value, i64); N]) {
        for (body, errcode) in mistakes {
            let answer = self.post(path, body.clone()).await;
            assert_eq!(answer["errcode"], errcode, "{path} {body}: {answer}");
        }
    }
}

#[tokio::test]
async fn thirty_endpoints_and_more_have_a_source_at_wechat() {
    assert!(SHAPED.len() >= 30, "{}", SHAPED.len());
    for shaped in SHAPED {
        let source = shaped.source();
        let host =
            if shaped.is_wecom() { "developer.work.weixin.qq.com" } else { "developers.weixin.qq.com" };
        assert!(source.starts_with(&format!("https://{host}/")), "{} {source}", shaped.path);
    }
}

#[tokio::test]
async fn what_has_no_shape_is_a_plain_success_and_marked_as_generic() {
    let service = Service::new().await;
    let reply = service.caller.post(&service.target("/cgi-bin/tags/update"), "{}").await;
    assert_eq!(reply.text(), r#"{"errcode":0,"errmsg":"ok"}"#);
    assert_eq!(reply.header("x-sandbox-shape"), Some("generic"));
    let reply = service.caller.get(&service.target("/cgi-bin/tags/get")).await;
    assert_eq!(reply.header("x-sandbox-shape"), None);
    // A refusal is WeChat's own.
    let refused = service.caller.post("/cgi-bin/tags/update", "{}").await;
    assert_eq!((refused.errcode(), refused.header("x-sandbox-shape")), (41001, None));
    let journal = service.caller.get("/sandbox/journal?path=/cgi-bin/tags/*").await.json();
    let marks: Vec<_> =
        journal["entries"].as_array().expect("a list").iter().map(|e| &e["generic"]).collect();
    assert_eq!(marks, [true, false, false]);
}

#[tokio::test]
async fn users_are_told_one_by_one_and_in_batches_with_their_tags() {
    let service = Service::new().await;
    let tag = service.post("/cgi-bin/tags/create", json!({"tag": {"name": "广东"}})).await;
    assert_eq!(tag, json!({"tag": {"id": 100, "name": "广东"}}));
    let tagging = "/cgi-bin/tags/members/batchtagging";
    let done = service.post(tagging, json!({"openid_list": ["A", "B"], "tagid": 100})).await;
    assert_eq!(done["errcode"], 0);
    assert_eq!(
        service.get("/cgi-bin/tags/get").await,
        json!({"tags": [{"id": 100, "name": "广东", "count": 2}]})
    );
    assert_eq!(service.get("/cgi-bin/user/info?openid=A").await["tagid_list"], json!([100]));
    let batch = json!({"user_list": [{"openid": "C", "lang": "zh_CN"}, {"openid": "unsubscribed1"}]});
    let users = service.post("/cgi-bin/user/info/batchget", batch).await;
    assert_eq!(users["user_info_list"][0]["subscribe"], 1);
    assert_eq!(
        users["user_info_list"][1],
        json!({"subscribe": 0, "openid": "unsubscribed1", "tagid_list": []})
    );
    assert_eq!(service.get("/cgi-bin/user/get").await["data"]["openid"], json!(["OPENID1", "OPENID2"]));
    let end = service.get("/cgi-bin/user/get?next_openid=OPENID2").await;
    assert_eq!(end, json!({"total": 2, "count": 0, "next_openid": ""}));

    let many: Vec<_> = (0..101).map(|at| json!({"openid": format!("O{at}")})).collect();
    service
        .refuses(
            "/cgi-bin/user/info/batchget",
            [
                (json!({}), 40032),
                (json!({"user_list": many}), 40032),
                (json!({"user_list": [{"openid": "invalid"}]}), 40003),
                (json!({"user_list": [{}]}), 40003),
            ],
        )
        .await;
    service
        .refuses(
            "/cgi-bin/tags/create",
            [
                (json!({}), 40035),
                (json!({"tag": {"name": "广东"}}), 45157),
                (json!({"tag": {"name": "标".repeat(11)}}), 45158),
            ],
        )
        .await;
    service.refuses(tagging, [(json!({"openid_list": ["A"], "tagid": 7}), 45159)]).await;
    assert_eq!(service.get("/cgi-bin/user/info?openid=invalid1").await["errcode"], 40003);
    assert_eq!(service.get("/cgi-bin/user/get?next_openid=X").await["errcode"], 40003);
    assert_eq!(service.get("/cgi-bin/user/info/batchget").await["errcode"], 43002);
}

#[tokio::test]
async fn messages_are_refused_as_wechat_refuses_them() {
    let service = Service::new().await;
    let template = json!({"touser": "O", "template_id": "T", "data": {}});
    let stranger = json!({"touser": "unsubscribed", "template_id": "T", "data": {}, "msgtype": "text"});
    for path in ["/cgi-bin/message/template/send", "/cgi-bin/message/subscribe/send"] {
        let sent = service.post(path, template.clone()).await;
        assert!(sent["errcode"] == 0 && sent["msgid"].is_number(), "{path}: {sent}");
        service
            .refuses(
                path,
                [
                    (json!({"template_id": "T"}), 40003),
                    (json!({"touser": "invalid", "template_id": "T"}), 40003),
                    (json!({"touser": "O"}), 40037),
                    (json!({"touser": "O", "template_id": "invalid"}), 40037),
                ],
            )
            .await;
        let not_json = service.caller.post(&service.target(path), "touser=O").await;
        assert_eq!(not_json.errcode(), 47001, "{path}");
    }
    service.refuses("/cgi-bin/message/template/send", [(stranger.clone(), 43004)]).await;
    let no_data = json!({"touser": "O", "template_id": "T"});
    service.refuses("/cgi-bin/message/subscribe/send", [(no_data, 47003), (stranger.clone(), 43101)]).await;
    let empty = json!({"touser": "O", "msgtype": "text", "text": {"content": ""}});
    service
        .refuses(
            "/cgi-bin/message/custom/send",
            [(json!({"touser": "O"}), 40008), (empty, 44004), (stranger, 45015)],
        )
        .await;
}

#[tokio::test]
async fn a_menu_is_told_as_it_is_in_force() {
    let service = Service::new().await;
    let current = "/cgi-bin/get_current_selfmenu_info";
    assert_eq!(service.get(current).await, json!({"is_menu_open": 0, "selfmenu_info": {"button": []}}));
    let song = json!({"type": "click", "name": "今日歌曲", "key": "K", "sub_button": []});
    let more =
        json!({"name": "菜单", "sub_button": [{"type": "view", "name": "搜索", "url": "http://x.example/"}]});
    assert_eq!(service.post("/cgi-bin/menu/create", json!({"button": [song, more]})).await["errcode"], 0);
    let menu = service.get(current).await;
    assert_eq!(menu["is_menu_open"], 1);
    let buttons = &menu["selfmenu_info"]["button"];
    assert_eq!(buttons[0], json!({"type": "click", "name": "今日歌曲", "key": "K"}));
    assert_eq!(buttons[1]["sub_button"]["list"][0]["name"], "搜索");
    service
        .refuses(
            "/cgi-bin/menu/create",
            [
                (json!({"button": []}), 40016),
                (json!({"button": [{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}]}), 40016),
                (json!({"button": [{"type": "click"}]}), 40018),
            ],
        )
        .await;
    assert_eq!(service.get("/cgi-bin/menu/delete").await["errcode"], 0);
    assert_eq!(service.get("/cgi-bin/menu/get").await["errcode"], 46003);
}

#[tokio::test]
async fn an_article_goes_from_its_cover_to_its_publication() {
    let service = Service::new().await;
    let picture = service.upload("/cgi-bin/media/uploadimg", b"png").await;
    assert!(picture["url"].as_str().is_some_and(|url| url.starts_with("http://mmbiz.qpic.cn/")), "{picture}");
    let long = vec![0; (1 << 20) + 1];
    assert_eq!(service.upload("/cgi-bin/media/uploadimg", &long).await["errcode"], 40009);
    let cover = service.upload("/cgi-bin/material/add_material?type=image", b"png").await;
    assert_eq!(service.upload("/cgi-bin/material/add_material", b"png").await["errcode"], 40004);
    let list = json!({"type": "image", "offset": 0, "count": 20});
    let list = service.post("/cgi-bin/material/batchget_material", list).await;
    assert_eq!((&list["total_count"], &list["item_count"]), (&json!(1), &json!(1)));
    assert_eq!(list["item"][0]["media_id"], cover["media_id"]);
    assert_eq!(list["item"][0]["name"], "a.png");

    let article = json!({"title": "题", "content": "文", "thumb_media_id": cover["media_id"]});
    let draft = service.post("/cgi-bin/draft/add", json!({"articles": [article]})).await;
    let submit = json!({"media_id": draft["media_id"]});
    let published = service.post("/cgi-bin/freepublish/submit", submit.clone()).await;
    assert!(published["errcode"] == 0 && published["publish_id"].is_string(), "{published}");
    service.refuses("/cgi-bin/freepublish/submit", [(submit, 40007), (json!({}), 40007)]).await;
    service
        .refuses(
            "/cgi-bin/draft/add",
            [
                (json!({"articles": []}), 44003),
                (json!({"articles": [{"content": "文"}]}), 45003),
                (json!({"articles": [{"title": "题", "thumb_media_id": "no"}]}), 40007),
            ],
        )
        .await;
    service
        .refuses(
            "/cgi-bin/material/batchget_material",
            [
                (json!({"type": "song", "offset": 0, "count": 1}), 40004),
                (json!({"type": "image", "offset": 0, "count": 21}), 40035),
            ],
        )
        .await;
}

#[tokio::test]
async fn codes_and_links_look_like_the_real_ones() {
    let service = Service::new().await;
    let forever = service.post("/cgi-bin/qrcode/create", json!({"action_name": "QR_LIMIT_STR_SCENE"})).await;
    assert!(forever["ticket"].is_string() && forever.get("expire_seconds").is_none(), "{forever}");
    service
        .refuses(
            "/cgi-bin/qrcode/create",
            [
                (json!({"action_name": "QR_CODE"}), 40053),
                (json!({"action_name": "QR_SCENE", "expire_seconds": 2_592_001}), 40035),
            ],
        )
        .await;
    let key = service.post("/cgi-bin/shorten/gen", json!({"long_data": "loooong"})).await;
    assert_eq!(key["short_key"].as_str().map(str::len), Some(15));
    service
        .refuses(
            "/cgi-bin/shorten/gen",
            [(json!({}), 40035), (json!({"long_data": "x".repeat(4097)}), 40035)],
        )
        .await;
    let scheme =
        service.post("/wxa/generatescheme", json!({"jump_wxa": {"path": "pages/a", "query": ""}})).await;
    assert!(scheme["openlink"].as_str().is_some_and(|link| link.starts_with("weixin://dl/business/?t=")));
    let link = service.post("/wxa/generate_urllink", json!({"path": "pages/a"})).await;
    assert!(link["url_link"].as_str().is_some_and(|link| link.starts_with("https://wxaurl.cn/")));
    service
        .refuses(
            "/wxa/generate_urllink",
            [
                (json!({"path": "missing/page"}), 40165),
                (json!({"expire_type": 1, "expire_interval": 31}), 85401),
                (json!({"env_version": "beta"}), 40097),
            ],
        )
        .await;
    let long = json!({"scene": "a".repeat(33)});
    service.refuses("/wxa/getwxacodeunlimit", [(long, 40129)]).await;
    service.refuses("/wxa/getwxacode", [(json!({"path": "p".repeat(1025)}), 40159)]).await;
}

#[tokio::test]
async fn a_mini_program_learns_of_its_users() {
    let mut service = Service::new().await;
    let fetch = json!({"grant_type": "client_credential", "appid": MINI_PROGRAM, "secret": SECRET});
    service.token = token_of(&service.caller.post("/cgi-bin/stable_token", fetch.to_string()).await);
    let phone = service.post("/wxa/business/getuserphonenumber", json!({"code": "c"})).await;
    assert_eq!(phone["phone_info"]["purePhoneNumber"], "13800138000");
    assert_eq!(phone["phone_info"]["watermark"]["appid"], MINI_PROGRAM);
    service
        .refuses("/wxa/business/getuserphonenumber", [(json!({"code": "c"}), 40029), (json!({}), 40029)])
        .await;
    let check = |content: &str| json!({"version": 2, "scene": 1, "openid": "O", "content": content});
    let path = "/wxa/msg_sec_check";
    let good = service.post(path, check("hello")).await;
    assert_eq!((&good["result"]["suggest"], &good["result"]["label"]), (&json!("pass"), &json!(100)));
    assert_eq!(service.post(path, check("risky words")).await["result"]["suggest"], "risky");
    service
        .refuses(
            path,
            [
                (json!({"content": "risky"}), 87014),
                (json!({"version": 2, "scene": 1, "content": "x"}), 40003),
                (json!({"version": 2, "openid": "O", "content": "x"}), 40097),
                (json!({"version": 2, "scene": 1, "openid": "O"}), 44004),
            ],
        )
        .await;
}

#[tokio::test]
async fn figures_go_up_to_yesterday_and_over_a_week() {
    let service = Service::new().await;
    let path = "/datacube/getusersummary";
    let week = service.post(path, json!({"begin_date": "2024-02-26", "end_date": "2024-03-03"})).await;
    let days: Vec<_> = week["list"].as_array().expect("a list").iter().map(|row| &row["ref_date"]).collect();
    assert_eq!((days.len(), days[3], days[4]), (7, &json!("2024-02-29"), &json!("2024-03-01")));
    service
        .refuses(
            path,
            [
                (json!({}), 61500),
                (json!({"begin_date": "20240226", "end_date": "2024-03-03"}), 61500),
                (json!({"begin_date": "2024-02-25", "end_date": "2024-03-03"}), 61501),
                (json!({"begin_date": "9999-01-01", "end_date": "9999-01-02"}), 61501),
            ],
        )
        .await;
}

#[tokio::test]
async fn wecom_answers_in_its_own_shapes() {
    let service = Service::of_wecom().await;
    let sent = json!({"touser": "a|Invalid2|invalidUser", "msgtype": "text", "agentid": 1});
    let sent = service.post("/cgi-bin/message/send", sent).await;
    assert_eq!((&sent["errcode"], &sent["invaliduser"]), (&json!(0), &json!("invaliduser")));
    assert!(sent["msgid"].is_string());
    service
        .refuses(
            "/cgi-bin/message/send",
            [
                (json!({"touser": "a", "agentid": 1}), 40008),
                (json!({"touser": "a", "msgtype": "text"}), 41011),
                (json!({"touser": "invalid", "msgtype": "text", "agentid": 1}), 81013),
            ],
        )
        .await;
    assert_eq!(service.get("/cgi-bin/user/get?userid=zhangsan").await["name"], "zhangsan");
    assert_eq!(service.get("/cgi-bin/user/get?userid=invalid").await["errcode"], 60111);
    assert_eq!(service.get("/cgi-bin/auth/getuserinfo?code=c").await["userid"], "user-of-c");
    assert_eq!(service.get("/cgi-bin/auth/getuserinfo?code=c").await["errcode"], 40029);
    assert_eq!(service.get("/cgi-bin/department/list").await["department"][0]["parentid"], 0);
    let uploaded = service.upload("/cgi-bin/media/upload?type=file", b"x").await;
    assert!(uploaded["errcode"] == 0 && uploaded["created_at"].is_string(), "{uploaded}");
    assert_eq!(service.get("/cgi-bin/get_api_domain_ip").await["errcode"], 0);
    assert_eq!(service.get("/cgi-bin/get_jsapi_ticket").await["expires_in"], 7200);
}

#[tokio::test]
async fn both_accounts_have_menus_and_tags_of_their_own() {
    let mut service = Service::new().await;
    service.post("/cgi-bin/tags/create", json!({"tag": {"name": "a"}})).await;
    assert_ne!(OFFICIAL_ACCOUNT, MINI_PROGRAM);
    let fetch = json!({"grant_type": "client_credential", "appid": MINI_PROGRAM, "secret": SECRET});
    service.token = token_of(&service.caller.post("/cgi-bin/stable_token", fetch.to_string()).await);
    assert_eq!(service.get("/cgi-bin/tags/get").await, json!({"tags": []}));
}
