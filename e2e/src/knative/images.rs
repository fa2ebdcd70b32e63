//! The container images the stand-in knows, and what they answer.

use serde_json::{Map, Value, json};

/// What a known image does with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Program {
    /// Knative's `helloworld-*` samples: `Hello <TARGET>!`.
    HelloWorld {
        /// The environment variable `TARGET`; `World` if it is not set.
        target: String,
    },
    /// An image called `echo`: answers with the request as JSON (method, path, query, headers).
    Echo,
}

/// Why a Revision cannot run here.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ImageError {
    /// The template has no container.
    #[error("spec.template.spec.containers is empty: a Revision needs one container")]
    NoContainer,
    /// The container names no image.
    #[error("spec.template.spec.containers[0].image is not set")]
    NoImage,
    /// Not one of the images that have a program.
    #[error(
        "Unable to fetch image \"{image}\": the Knative stand-in runs no containers and only knows \
         images called helloworld, helloworld-<anything> (as in ghcr.io/knative/helloworld-go) and echo"
    )]
    Unknown {
        /// As the template has it.
        image: String,
    },
}

/// The program of a Revision's pod spec.
///
/// # Errors
/// [`ImageError`] if there is none for its image.
pub fn program(pod: &Map<String, Value>) -> Result<Program, ImageError> {
    let container = pod
        .get("containers")
        .and_then(Value::as_array)
        .and_then(|containers| containers.first())
        .ok_or(ImageError::NoContainer)?;
    let image = container
        .get("image")
        .and_then(Value::as_str)
        .ok_or(ImageError::NoImage)?;
    match repository(image) {
        "echo" => Ok(Program::Echo),
        name if name == "helloworld" || name.starts_with("helloworld-") => {
            Ok(Program::HelloWorld {
                target: variable(container, "TARGET").unwrap_or("World").to_owned(),
            })
        }
        _ => Err(ImageError::Unknown {
            image: image.to_owned(),
        }),
    }
}

/// The last part of an image's name, without tag and digest.
fn repository(image: &str) -> &str {
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split(['@', ':']).next().unwrap_or(last)
}

fn variable<'a>(container: &'a Value, name: &str) -> Option<&'a str> {
    container
        .get("env")?
        .as_array()?
        .iter()
        .find(|variable| variable.get("name").and_then(Value::as_str) == Some(name))?
        .get("value")?
        .as_str()
}

impl Program {
    /// The body that answers a request, and its content type.
    pub fn answer(&self, request: &axum::http::request::Parts) -> (&'static str, String) {
        match self {
            Self::HelloWorld { target } => {
                ("text/plain; charset=utf-8", format!("Hello {target}!\n"))
            }
            Self::Echo => ("application/json", echo(request).to_string()),
        }
    }
}

/// Header names are in lower case; several values of one header are joined by a comma.
fn echo(request: &axum::http::request::Parts) -> Value {
    let mut headers = Map::new();
    for name in request.headers.keys() {
        let values: Vec<_> = request
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        headers.insert(name.as_str().to_owned(), Value::String(values.join(", ")));
    }
    json!({
        "method": request.method.as_str(),
        "path": request.uri.path(),
        "query": request.uri.query(),
        "headers": headers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(container: Value) -> Map<String, Value> {
        Map::from_iter([("containers".to_owned(), json!([container]))])
    }

    #[test]
    fn samples_are_known_by_the_last_part_of_their_name() {
        for image in [
            "ghcr.io/knative/helloworld-go:latest",
            "registry.example.com:5000/knative-sample/helloworld-go@sha256:0123",
            "helloworld",
        ] {
            let program = program(&pod(json!({"image": image}))).unwrap();
            assert_eq!(
                program,
                Program::HelloWorld {
                    target: "World".to_owned()
                },
                "{image}"
            );
        }
        assert_eq!(
            program(&pod(json!({"image": "localhost/echo"}))),
            Ok(Program::Echo)
        );
    }

    #[test]
    fn target_comes_from_the_environment() {
        let container =
            json!({"image": "helloworld-go", "env": [{"name": "TARGET", "value": "Knative"}]});
        assert_eq!(
            program(&pod(container)),
            Ok(Program::HelloWorld {
                target: "Knative".to_owned()
            })
        );
    }

    #[test]
    fn other_images_are_refused_by_name() {
        let error = program(&pod(json!({"image": "docker.io/library/nginx:1"}))).unwrap_err();
        assert!(
            error.to_string().contains("docker.io/library/nginx:1"),
            "{error}"
        );
        assert_eq!(program(&Map::new()), Err(ImageError::NoContainer));
        assert_eq!(
            program(&pod(json!({"name": "x"}))),
            Err(ImageError::NoImage)
        );
    }
}
