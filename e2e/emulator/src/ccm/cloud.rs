//! Calls of the cloud as CCM makes them: POST, everything in the query string, signature version
//! 1.0.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::CloudConfig;
use super::error::SyncError;
use crate::api::Product;
use crate::protocol::sign_query;
use crate::sts::wire_time;

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of the cloud.
#[derive(Clone)]
pub(crate) struct Cloud {
    pub(crate) config: CloudConfig,
    http: reqwest::Client,
}

/// Parameters of a call, in the order they were added.
#[derive(Debug, Clone, Default)]
pub(crate) struct Args(Vec<(String, String)>);

impl Args {
    pub(crate) fn and(mut self, more: impl IntoIterator<Item = (String, String)>) -> Self {
        self.0.extend(more);
        self
    }

    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    pub(super) fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

/// Parameters that name a load balancer.
pub(super) fn of_balancer(id: &str) -> Args {
    Args::default().with("LoadBalancerId", id)
}

impl Cloud {
    pub(crate) fn new(config: CloudConfig, http: reqwest::Client) -> Self {
        Self { config, http }
    }

    /// Calls the load balancer product.
    pub(super) async fn slb(&self, action: &str, args: Args) -> Result<Value, SyncError> {
        self.call(Product::Slb, action, args).await
    }

    /// Calls the network load balancer product.
    pub(super) async fn nlb(&self, action: &str, args: Args) -> Result<Value, SyncError> {
        self.call(Product::Nlb, action, args).await
    }

    /// Calls the application load balancer product.
    pub(crate) async fn alb(&self, action: &str, args: Args) -> Result<Value, SyncError> {
        self.call(Product::Alb, action, args).await
    }

    /// Calls the network product.
    pub(crate) async fn vpc(&self, action: &str, args: Args) -> Result<Value, SyncError> {
        self.call(Product::Vpc, action, args).await
    }

    async fn call(&self, product: Product, action: &str, args: Args) -> Result<Value, SyncError> {
        let query = sign_query(
            "POST",
            &self.params(product, action, args),
            &self.config.access_key_secret,
        );
        let url = format!("{}/?{query}", self.config.url);
        let request = self
            .http
            .post(url)
            .header("x-acs-action", action)
            .timeout(PATIENCE);
        let transport =
            |error: reqwest::Error| SyncError::Transport(error.without_url().to_string());
        let response = request.send().await.map_err(transport)?;
        let accepted = response.status().is_success();
        let status = response.status();
        let body = response.bytes().await.map_err(transport)?;
        let body: Value = serde_json::from_slice(&body).map_err(|_| {
            SyncError::Transport(format!("{action} was answered with {status} and no JSON"))
        })?;
        if accepted {
            return Ok(body);
        }
        let text = |name: &str| {
            body.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let message = text("Message");
        Err(SyncError::Cloud {
            code: text("Code"),
            message: match product {
                // The client of this product has it like this.
                Product::Nlb => format!("code: {}, {message} ", status.as_u16()),
                _ => message,
            },
        })
    }

    fn params(&self, product: Product, action: &str, args: Args) -> Vec<(String, String)> {
        let nonce = format!("{:032x}", rand::random::<u128>());
        let common = [
            ("AccessKeyId", self.config.access_key_id.as_str()),
            ("Action", action),
            ("Format", "JSON"),
            ("RegionId", self.config.region.as_str()),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", nonce.as_str()),
            ("SignatureType", ""),
            ("SignatureVersion", "1.0"),
            ("Version", product.version()),
        ];
        let mut params: Vec<(String, String)> = common
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        params.push(("Timestamp".to_owned(), wire_time(Timestamp::now())));
        params.extend(args.0);
        params
    }
}

/// The items of a list that is wrapped twice.
pub(crate) fn items<'a>(answer: &'a Value, outer: &str, inner: &str) -> &'a [Value] {
    answer
        .get(outer)
        .and_then(|list| list.get(inner))
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A text member, empty when it is absent.
pub(crate) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}
