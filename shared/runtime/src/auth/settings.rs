//! Which keys verify tokens, and whose.

use std::path::PathBuf;

use super::role::RoleMapping;

/// Bearer tokens.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Tokens")]
pub struct Tokens {
    /// File with the Ed25519 public key (SPKI, DER) or the key set (JSON Web Key Set) that verifies the suite's own bearer tokens. It is
    /// read again when a token has an unknown key.
    #[arg(
        id = "token_public_key_file",
        long = "token-public-key-file",
        env = "TOKEN_PUBLIC_KEY_FILE",
        value_name = "TOKEN_PUBLIC_KEY_FILE"
    )]
    pub public_key_file: PathBuf,

    #[command(flatten)]
    pub oidc: Oidc,
}

/// Another issuer of tokens for staff (OIDC). Without `OIDC_ISSUER` there is none.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "OIDC")]
pub struct Oidc {
    /// The issuer, exactly as in the claim `iss`: an https address, or http on the loopback interface.
    #[arg(
        id = "oidc_issuer",
        long = "oidc-issuer",
        env = "OIDC_ISSUER",
        value_name = "OIDC_ISSUER"
    )]
    pub issuer: Option<String>,

    /// The audience that its tokens must name in the claim `aud`.
    #[arg(
        id = "oidc_audience",
        long = "oidc-audience",
        env = "OIDC_AUDIENCE",
        value_name = "OIDC_AUDIENCE"
    )]
    pub audience: Option<String>,

    /// Its key set: an address, or `file:` and a path. Without it the issuer names the address (OIDC Discovery).
    #[arg(id = "oidc_jwks", long = "oidc-jwks", env = "OIDC_JWKS", value_name = "OIDC_JWKS")]
    pub jwks: Option<String>,

    /// The claim with the roles, such as `groups` or `realm_access.roles`: a list, or a text with spaces.
    #[arg(
        id = "oidc_roles_claim",
        long = "oidc-roles-claim",
        env = "OIDC_ROLES_CLAIM",
        value_name = "OIDC_ROLES_CLAIM",
        default_value = Oidc::ROLES_CLAIM
    )]
    pub roles_claim: String,

    /// Which values of this claim stand for which roles, such as `shop-admins=owner,shop-buyers=merchandiser`. Without it the values
    /// are the roles themselves: owner, merchandiser, warehouse, support, operator, analyst.
    #[arg(
        id = "oidc_roles",
        long = "oidc-roles",
        env = "OIDC_ROLES",
        value_name = "OIDC_ROLES",
        default_value = "",
        hide_default_value = true,
        value_parser = clap::value_parser!(RoleMapping)
    )]
    pub roles: RoleMapping,

    /// Certificates of the issuer's CA (PEM), if it is not a public one.
    #[arg(
        id = "oidc_ca_file",
        long = "oidc-ca-file",
        env = "OIDC_CA_FILE",
        value_name = "OIDC_CA_FILE"
    )]
    pub ca_file: Option<PathBuf>,
}

impl Oidc {
    const ROLES_CLAIM: &str = "roles";
}

impl Default for Oidc {
    fn default() -> Oidc {
        Oidc {
            issuer: None,
            audience: None,
            jwks: None,
            roles_claim: Oidc::ROLES_CLAIM.to_owned(),
            roles: RoleMapping::default(),
            ca_file: None,
        }
    }
}
