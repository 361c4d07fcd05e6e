//! Identities: who connects, by which key, and what the server allows each of them.
//!
//! One table says it all: [`grants`]. The server's file, the page for operators and the tests that
//! try every cell are made from it.

mod grants;
mod key_file;
mod role;
mod server_file;
mod tenant;

pub use grants::{Direction, Grant, Holders, Services as ServiceHolders, grants};
pub use key_file::{InvalidKey, KeyFile};
pub use role::{Identity, InvalidName, Role};
pub use server_file::{accounts_file, server_file, shipped_server_file};
pub use tenant::{InvalidTenant, Tenant, TenantAccount};
