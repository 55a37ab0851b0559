//! Authentication of a connection, and not of a request: with NTLM, Negotiate and Kerberos as services
//! use them, whatever comes on the connection afterwards is taken for the same user's (RFC 4559 section
//! 6). No other client may ever come next on it.

use http::StatusCode;

use super::fields::Fields;
use super::known_field::KnownField;

/// The schemes that do so.
const SCHEMES: [&[u8]; 3] = [b"ntlm", b"negotiate", b"kerberos"];

/// Whether a request with these fields begins it.
pub fn is_begun(fields: &Fields) -> bool {
    fields.has(KnownField::Authorization)
        && fields
            .get_all(KnownField::Authorization)
            .any(is_of_connection)
}

/// Whether an answer with this status and these fields offers it.
pub fn is_offered(status: StatusCode, fields: &Fields) -> bool {
    let is_challenge = |name: &[u8]| {
        name.eq_ignore_ascii_case(b"WWW-Authenticate")
            || name.eq_ignore_ascii_case(b"Proxy-Authenticate")
    };
    let asks = [
        StatusCode::UNAUTHORIZED,
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
    ];
    // A list of challenges may stand in one field.
    let mut offered = fields.iter().filter(|field| is_challenge(field.name));
    asks.contains(&status)
        && offered.any(|field| field.value.split(|b| *b == b',').any(is_of_connection))
}

/// Whether credentials or a challenge begin with the name of such a scheme.
fn is_of_connection(value: &[u8]) -> bool {
    let value = value.trim_ascii_start();
    let end = value.iter().position(|b| !b.is_ascii_alphanumeric());
    let scheme = &value[..end.unwrap_or(value.len())];
    SCHEMES
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::super::fields::fields;
    use super::*;

    #[test]
    fn what_a_request_authenticates_is_told_by_its_scheme() {
        for (line, expected) in [
            ("Authorization: NTLM TlRMTVNTUAAB\r\n", true),
            ("authorization: negotiate YII\r\n", true),
            ("Authorization: Kerberos x\r\n", true),
            (
                "Authorization: Basic YTpi\r\nAuthorization: NTLM x\r\n",
                true,
            ),
            ("Authorization: NTLM\r\n", true),
            ("Authorization: Basic NTLM\r\n", false),
            ("Authorization: Bearer negotiate\r\n", false),
            ("Authorization: NTLMv9 x\r\n", false),
            ("Authorization:\r\n", false),
            ("X-Authorization: NTLM x\r\n", false),
        ] {
            assert_eq!(is_begun(&fields(line)), expected, "{line}");
        }
    }

    #[test]
    fn what_an_answer_offers_may_stand_in_a_list() {
        for (status, line, expected) in [
            (401, "WWW-Authenticate: NTLM\r\n", true),
            (401, "www-authenticate: Negotiate oYG2\r\n", true),
            (
                401,
                "WWW-Authenticate: Basic realm=\"a\", Negotiate, NTLM\r\n",
                true,
            ),
            (
                401,
                "WWW-Authenticate: Basic realm=\"a\"\r\nWWW-Authenticate: NTLM\r\n",
                true,
            ),
            (407, "Proxy-Authenticate: Negotiate\r\n", true),
            (401, "WWW-Authenticate: Basic realm=\"NTLM\"\r\n", false),
            (200, "WWW-Authenticate: NTLM\r\n", false),
            (401, "", false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(is_offered(status, &fields(line)), expected, "{line}");
        }
    }
}
