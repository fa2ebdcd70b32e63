//! Where each product answers.

use std::collections::BTreeMap;

use crate::operations::Product;

/// Regions whose classic load balancers answer at the central host.
const SLB_CENTRAL: [&str; 9] = [
    "cn-hangzhou",
    "cn-beijing",
    "cn-shanghai",
    "cn-shenzhen",
    "cn-qingdao",
    "cn-hongkong",
    "ap-southeast-1",
    "us-east-1",
    "us-west-1",
];

/// Base URLs by product: the public ones of a region, unless overridden.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    all: Option<String>,
    one: BTreeMap<Product, String>,
}

impl Endpoints {
    /// The public endpoints.
    pub fn public() -> Self {
        Self::default()
    }

    /// One base URL for all products, for example that of an emulator.
    pub fn all(url: impl Into<String>) -> Self {
        Self {
            all: Some(url.into()),
            one: BTreeMap::new(),
        }
    }

    /// Overrides the base URL of one product.
    #[must_use]
    pub fn with(mut self, product: Product, url: impl Into<String>) -> Self {
        self.one.insert(product, url.into());
        self
    }

    /// The base URL of `product` in `region`, scheme included, without a trailing slash.
    pub fn url(&self, product: Product, region: &str) -> String {
        let url = self.one.get(&product).or(self.all.as_ref());
        match url {
            Some(url) if url.contains("://") => url.trim_end_matches('/').to_owned(),
            Some(host) => format!("https://{}", host.trim_end_matches('/')),
            None => format!("https://{}", public_host(product, region)),
        }
    }
}

/// The public host of a product (the endpoint maps of the vendor's SDKs).
fn public_host(product: Product, region: &str) -> String {
    match product {
        Product::CloudApi => format!("apigateway.{region}.aliyuncs.com"),
        Product::Slb if SLB_CENTRAL.contains(&region) => "slb.aliyuncs.com".to_owned(),
        Product::Slb => format!("slb.{region}.aliyuncs.com"),
        Product::Nlb => format!("nlb.{region}.aliyuncs.com"),
        Product::Vpc if region == "cn-hangzhou" => "vpc.aliyuncs.com".to_owned(),
        Product::Vpc => format!("vpc.{region}.aliyuncs.com"),
        Product::Sts => format!("sts.{region}.aliyuncs.com"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_hosts() {
        for (product, region, host) in [
            (
                Product::CloudApi,
                "cn-beijing",
                "apigateway.cn-beijing.aliyuncs.com",
            ),
            (Product::Slb, "cn-beijing", "slb.aliyuncs.com"),
            (
                Product::Slb,
                "cn-wulanchabu",
                "slb.cn-wulanchabu.aliyuncs.com",
            ),
            (Product::Vpc, "cn-hangzhou", "vpc.aliyuncs.com"),
            (Product::Vpc, "cn-beijing", "vpc.cn-beijing.aliyuncs.com"),
            (Product::Sts, "cn-beijing", "sts.cn-beijing.aliyuncs.com"),
        ] {
            assert_eq!(
                Endpoints::public().url(product, region),
                format!("https://{host}")
            );
        }
    }

    #[test]
    fn one_product_overrides_all() {
        let endpoints =
            Endpoints::all("http://127.0.0.1:8080/").with(Product::Slb, "slb.example.com");
        assert_eq!(
            endpoints.url(Product::Vpc, "cn-beijing"),
            "http://127.0.0.1:8080"
        );
        assert_eq!(
            endpoints.url(Product::Slb, "cn-beijing"),
            "https://slb.example.com"
        );
    }
}
