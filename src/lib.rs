//! wxgate: a reverse proxy for WeChat's server API.

pub mod admin;
pub mod app;
pub mod config;
pub mod message;
pub mod observe;
pub mod pipeline;
pub mod sandbox;
pub mod secret;
pub mod server;
pub mod store;
pub mod token;
pub mod upstream;
pub mod wechat;
