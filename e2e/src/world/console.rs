//! What a person does at the cloud's console, as API calls: for scenarios done by hand, for drift
//! made behind the operator's back, and for looking at what there is.

use alicloud_emulator::{api::Product, protocol::sign_query};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::{Cloud, Keys, WorldError};

impl Cloud {
    /// One signed call of an RPC API (signature version 1.0), and its answer.
    ///
    /// # Errors
    /// [`WorldError::Refused`] with the cloud's code, or if there is no answer.
    pub async fn call(
        &self,
        keys: &Keys,
        product: Product,
        action: &str,
        params: &[(&str, &str)],
    ) -> Result<Value, WorldError> {
        let nonce = format!("{:032x}", rand::random::<u128>());
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let common = [
            ("AccessKeyId", keys.id.as_str()),
            ("Action", action),
            ("Format", "JSON"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", nonce.as_str()),
            ("SignatureVersion", "1.0"),
            ("Timestamp", now.as_str()),
            ("Version", product.version()),
        ];
        let all: Vec<_> = common
            .iter()
            .chain(params)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let query = sign_query("POST", &all, &keys.secret);
        let response = self
            .http()
            .post(format!("{}/?{query}", self.url()))
            .send()
            .await?;
        let accepted = response.status().is_success();
        let body: Value = response.json().await?;
        if accepted {
            return Ok(body);
        }
        let text = |name: &str| {
            body.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Err(WorldError::Refused {
            action: action.to_owned(),
            code: text("Code"),
            message: text("Message"),
        })
    }
}
