//! The endpoints that people use most, each answered as WeChat documents it. What isn't here, and
//! has no rules of its own in `table.rs`, is answered `{"errcode":0,"errmsg":"ok"}` and marked.

use self::Book::{MiniProgram, Service, Wecom};
use self::Shape::{Any, Open, Post};
use super::credentials::Holder;
use super::shapes::{
    account, articles, codes, links, menus, messages, mini_program, statistics, tags, users, wecom,
};
use super::{media, oauth};
use crate::sandbox::answer::Answer;
use crate::sandbox::call::Call;
use crate::sandbox::state::world::State;

/// What an endpoint does for who holds the token.
pub(super) type Behind = fn(&mut State, &Call, &Holder) -> Answer;

/// What an endpoint answers, and to whom.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// It settles its credential itself.
    Open(fn(&mut State, &Call) -> Answer),
    /// To an app's token, by whichever method.
    Any(Behind),
    /// To an app's token, by POST.
    Post(Behind),
}

/// Where WeChat documents an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Book {
    Service,
    MiniProgram,
    Wecom,
}

/// An endpoint in the shape that WeChat documents.
#[derive(Clone, Copy, Debug)]
pub struct Shaped {
    /// Its path.
    pub path: &'static str,
    pub(super) shape: Shape,
    book: Book,
    page: &'static str,
}

impl Shaped {
    /// Whether it is WeCom's; the two platforms have paths in common.
    pub fn is_wecom(&self) -> bool {
        self.book == Wecom
    }

    /// The page on which WeChat documents it.
    pub fn source(&self) -> String {
        let page = self.page;
        match self.book {
            Service => format!("https://developers.weixin.qq.com/doc/service/api/{page}.html"),
            MiniProgram => format!("https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/{page}.html"),
            Wecom => format!("https://developer.work.weixin.qq.com/document/path/{page}"),
        }
    }
}

const fn row(path: &'static str, shape: Shape, book: Book, page: &'static str) -> Shaped {
    Shaped { path, shape, book, page }
}

/// Endpoints that are answered as WeChat documents them.
#[rustfmt::skip]
pub const SHAPED: &[Shaped] = &[
    row("/cgi-bin/get_api_domain_ip", Any(account::api_domain_ip), Service, "base/api_getapidomainip"),
    row("/cgi-bin/getcallbackip", Any(account::callback_ip), Service, "base/api_getcallbackip"),
    row("/cgi-bin/ticket/getticket", Any(account::ticket), Service, "webdev/jssdk/api_getticket"),
    row("/sns/oauth2/access_token", Open(oauth::access_token), Service, "webdev/access/api_snsaccesstoken"),
    row("/sns/oauth2/refresh_token", Open(oauth::refresh_token), Service, "webdev/access/api_snsrefreshtoken"),
    row("/sns/userinfo", Open(oauth::userinfo), Service, "webdev/access/api_snsuserinfo"),
    row("/sns/auth", Open(oauth::auth), Service, "webdev/access/api_snsauth"),
    row("/cgi-bin/user/info", Any(users::info), Service, "usermanage/userinfo/api_userinfo"),
    row("/cgi-bin/user/info/batchget", Post(users::batch), Service, "usermanage/userinfo/api_batchuserinfo"),
    row("/cgi-bin/user/get", Any(users::followers), Service, "usermanage/userinfo/api_getfans"),
    row("/cgi-bin/tags/create", Post(tags::create), Service, "usermanage/tag/api_createtag"),
    row("/cgi-bin/tags/get", Any(tags::get), Service, "usermanage/tag/api_gettags"),
    row("/cgi-bin/tags/members/batchtagging", Post(tags::tag_users), Service, "usermanage/tag/api_batchtagging"),
    row("/cgi-bin/message/template/send", Post(messages::template), Service, "notify/template/api_sendtemplatemessage"),
    row("/cgi-bin/message/custom/send", Post(messages::custom), Service, "customer/message/api_sendcustommessage"),
    row("/cgi-bin/menu/create", Post(menus::create), Service, "custommenu/api_createcustommenu"),
    row("/cgi-bin/menu/get", Any(menus::get), Service, "custommenu/api_getmenu"),
    row("/cgi-bin/menu/delete", Any(menus::delete), Service, "custommenu/api_deletemenu"),
    row("/cgi-bin/get_current_selfmenu_info", Any(menus::current), Service, "custommenu/api_getcurrentselfmenuinfo"),
    row("/cgi-bin/media/upload", Post(media::upload), Service, "material/temporary/api_uploadtempmedia"),
    row("/cgi-bin/media/get", Any(media::get), Service, "material/temporary/api_getmedia"),
    row("/cgi-bin/media/uploadimg", Post(media::upload_picture), Service, "material/permanent/api_uploadimage"),
    row("/cgi-bin/material/add_material", Post(media::add_material), Service, "material/permanent/api_addmaterial"),
    row("/cgi-bin/material/get_material", Post(media::get_material), Service, "material/permanent/api_getmaterial"),
    row("/cgi-bin/material/batchget_material", Post(articles::materials), Service, "material/permanent/api_batchgetmaterial"),
    row("/cgi-bin/draft/add", Post(articles::draft), Service, "draftbox/draftmanage/api_draft_add"),
    row("/cgi-bin/freepublish/submit", Post(articles::publish), Service, "public/api_freepublish_submit"),
    row("/cgi-bin/qrcode/create", Post(codes::qrcode), Service, "qrcode/qrcodes/api_createqrcode"),
    row("/cgi-bin/shorten/gen", Post(codes::shorten), Service, "qrcode/shorten/api_genshortkey"),
    row("/datacube/getusersummary", Post(statistics::user_summary), Service, "wedata/user/api_getusersummary"),
    row("/sns/jscode2session", Open(oauth::jscode2session), MiniProgram, "user-login/code2Session"),
    row("/cgi-bin/message/subscribe/send", Post(messages::subscription), MiniProgram, "mp-message-management/subscribe-message/sendMessage"),
    row("/wxa/getwxacode", Post(codes::mini_program_code), MiniProgram, "qrcode-link/qr-code/getQRCode"),
    row("/wxa/getwxacodeunlimit", Post(codes::unlimited), MiniProgram, "qrcode-link/qr-code/getUnlimitedQRCode"),
    row("/cgi-bin/wxaapp/createwxaqrcode", Post(codes::mini_program_code), MiniProgram, "qrcode-link/qr-code/createQRCode"),
    row("/wxa/generatescheme", Post(links::scheme), MiniProgram, "qrcode-link/url-scheme/generateScheme"),
    row("/wxa/generate_urllink", Post(links::url), MiniProgram, "qrcode-link/url-link/generateUrlLink"),
    row("/wxa/business/getuserphonenumber", Post(mini_program::phone), MiniProgram, "user-info/phone-number/getPhoneNumber"),
    row("/wxa/msg_sec_check", Post(mini_program::check_text), MiniProgram, "sec-center/sec-check/msgSecCheck"),
    row("/cgi-bin/message/send", Post(wecom::send), Wecom, "90236"),
    row("/cgi-bin/user/get", Any(wecom::member), Wecom, "90196"),
    row("/cgi-bin/department/list", Any(wecom::departments), Wecom, "90208"),
    row("/cgi-bin/auth/getuserinfo", Any(wecom::visitor), Wecom, "91023"),
    row("/cgi-bin/media/upload", Post(media::upload_to_wecom), Wecom, "90389"),
    row("/cgi-bin/media/get", Any(media::get), Wecom, "90254"),
    row("/cgi-bin/get_jsapi_ticket", Any(account::ticket), Wecom, "90506"),
    row("/cgi-bin/ticket/get", Any(account::ticket), Wecom, "90506"),
    row("/cgi-bin/get_api_domain_ip", Any(wecom::api_domain_ip), Wecom, "92520"),
    row("/cgi-bin/getcallbackip", Any(wecom::callback_ip), Wecom, "92521"),
];

/// The endpoint of one of the two platforms.
pub(super) fn find(path: &str, wecom: bool) -> Option<&'static Shaped> {
    SHAPED.iter().find(|shaped| shaped.path == path && shaped.is_wecom() == wecom)
}

/// Whether either platform has it here.
pub(super) fn lists(path: &str) -> bool {
    SHAPED.iter().any(|shaped| shaped.path == path)
}
