//! The endpoints that are open only to callers whose rules name them exactly, path by path: no rule
//! could tell what moves money from what asks about it.
//!
//! Users' own purchases stay open (`/xpay/currency_pay`, `/cgi-bin/midas/pay`, `/wxa/game/pay`), as
//! do orders of the day: nothing of the account's goes to anyone of the caller's choice.

/// Those of hosts that share one meaning of their paths, in normal form.
#[derive(Debug)]
pub(super) struct Guarded {
    /// Spends what the account has little of, shows other callers' requests or secrets, or changes
    /// who controls the account.
    pub(super) harmful: &'static [&'static str],
    /// Withdraws, refunds, charges or pays out, says to whom is paid, or buys for the company.
    pub(super) money: &'static [&'static str],
}

pub(super) static MAIN: Guarded = Guarded {
    harmful: &[
        // Ten, or fifty, clearings a month for the whole account. Every path with a `clear_quota`
        // segment is guarded too.
        "/cgi-bin/clear_quota",
        "/cgi-bin/openapi/quota/clear",
        // Shows URL, body and response of any request in the last seven days.
        "/cgi-bin/openapi/rid/get",
        // Requires the platform's secret, and restarts its verify tickets.
        "/cgi-bin/component/api_start_push_ticket",
        // Ties the account to an open-platform account, or off it: unionids change for all users.
        "/cgi-bin/open/bind",
        "/cgi-bin/open/create",
        "/cgi-bin/open/unbind",
        // Hands the account, or a new one, to another administrator.
        "/cgi-bin/account/componentrebindadmin",
        "/cgi-bin/account/fastregister",
        // Takes the mini program offline, or its last release back.
        "/wxa/change_visitstatus",
        "/wxa/revertcoderelease",
        // Hands out keys of the account's Tencent Cloud, and the one that its code is uploaded
        // with.
        "/tcb/getcodesecret",
        "/tcb/getqcloudtoken",
    ],
    money: &[
        // Gift cards: refunds, and the merchant who is paid.
        "/card/giftcard/order/refund",
        "/card/giftcard/pay/submch/bind",
        // Buys coupons' coins, and spends them.
        "/card/pay/confirm",
        "/card/pay/recharge",
        // Deliveries: refunds, what a shop has paid in, and who pays.
        "/cgi-bin/express/delivery/single_waybill/refund_order",
        "/cgi-bin/express/intracity/setpaymode",
        "/cgi-bin/express/intracity/storecharge",
        "/cgi-bin/express/intracity/storerefund",
        // Gives coins away, or back, that users buy.
        "/cgi-bin/midas/cancelpay",
        "/cgi-bin/midas/present",
        "/wxa/game/cancelpay",
        "/wxa/game/present",
        "/xpay/cancel_currency_pay",
        "/xpay/present_currency",
        // Stores: refunds, withdrawals and the account that they go to, presents that the store
        // pays.
        "/channels/ec/aftersale/acceptapply",
        "/channels/ec/aftersale/genaftersaleorder",
        "/channels/ec/aftersale/merchantacceptguarantee",
        "/channels/ec/aftersale/refundpricediff",
        "/channels/ec/funds/setbankacct",
        "/channels/ec/funds/submitwithdraw",
        "/channels/ec/order/presentorder/create",
        "/product/funds/setbankaccount",
        "/product/funds/submitwithdraw",
        "/product/order/acceptapply",
        "/shop/ecaftersale/acceptrefund",
        "/shop/funds/setbankaccount",
        "/shop/funds/submitwithdraw",
        "/shop/pay/profitsharingorder",
        "/shop/pay/refundorder",
        "/wxaapi/minishop/bussisupplyrefund",
        // Refunds fees and fines, and charges drivers who aren't there to agree.
        "/nontax/refund",
        "/nontax/vehicle/payapply",
        // Insured returns: pays out, and takes back what was paid in.
        "/wxa/business/insurance_freight/claim",
        "/wxa/business/insurance_freight/refund",
        // Uses up a bought licence.
        "/wxa/business/license/activedevice",
        // Virtual goods: withdrawals and where they go, refunds, money for advertising, and
        // subscribers who aren't there to agree.
        "/xpay/bind_transfer_accout",
        "/xpay/create_funds_bill",
        "/xpay/create_withdraw_order",
        "/xpay/refund_order",
        "/xpay/submit_subscribe_pay_order",
    ],
};

/// Deleting members and customers one by one or by the hundred is what a directory's owner does
/// every day: free.
pub(super) static WORK: Guarded = Guarded {
    harmful: &[
        // Hands the app to its developer, or back.
        "/cgi-bin/agent/migrate_to_customized_app",
        // Replaces the whole directory: who isn't in the uploaded file is deleted, and so loses the
        // company's data.
        "/cgi-bin/batch/replaceparty",
        "/cgi-bin/batch/replaceuser",
        // Throws another company out of the group; its apps and chats go with it.
        "/cgi-bin/corpgroup/corp/remove_corp",
        // Changes the ids of all customers for good.
        "/cgi-bin/externalcontact/finish_external_userid_migration",
        "/cgi-bin/service/externalcontact/finish_external_userid_migration",
        // The days of trial that a company can be given are numbered.
        "/cgi-bin/service/prolong_try",
        // Invalidates the token that it is called with, and the lock on the directory.
        "/cgi-bin/sync/contact_sync_success",
    ],
    money: &[
        // Orders and pays for the provider.
        "/cgi-bin/advanced_api/cancel_order",
        "/cgi-bin/advanced_api/create_order",
        "/cgi-bin/advanced_api/submit_pay",
        // Says to whom customers pay.
        "/cgi-bin/externalpay/addmerchant",
        "/cgi-bin/externalpay/delmerchant",
        "/cgi-bin/externalpay/set_mch_use_scope",
        // Orders, pays for, gives away and uses up the provider's licences.
        "/cgi-bin/license/active_account",
        "/cgi-bin/license/batch_active_account",
        "/cgi-bin/license/batch_share_active_code",
        "/cgi-bin/license/batch_transfer_license",
        "/cgi-bin/license/cancel_order",
        "/cgi-bin/license/create_new_order",
        "/cgi-bin/license/create_new_order_job",
        "/cgi-bin/license/create_renew_order_job",
        "/cgi-bin/license/set_auto_active_status",
        "/cgi-bin/license/submit_new_order_job",
        "/cgi-bin/license/submit_order_job",
        "/cgi-bin/license/submit_pay_job",
        // Says to whom users pay, and refunds.
        "/cgi-bin/miniapppay/apply_mch",
        "/cgi-bin/miniapppay/refund",
        // Charges a company in the provider's name.
        "/cgi-bin/paytool/open_order",
    ],
};

impl Guarded {
    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &'static str> {
        self.harmful.iter().chain(self.money).copied()
    }
}
